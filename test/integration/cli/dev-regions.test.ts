import { afterEach, describe, expect, test, vi } from 'vitest';
import { DevProcess, type CommandResult } from './dev-process.ts';

const basePort = 21_000;
const running: DevProcess[] = [];

async function startCluster(...flags: string[]): Promise<DevProcess> {
  const dev = new DevProcess(basePort, flags);
  running.push(dev);
  await dev.ready();
  return dev;
}

afterEach(async () => {
  for (const dev of running.splice(0)) await dev.stop();
});

const patience = { timeout: 20_000, interval: 50 };

/** A command at a node of region `r`. */
function at(dev: DevProcess, r: number, ...words: string[]): Promise<CommandResult> {
  const node = dev.nodes().find(({ name }) => name === `region-${r}-1`);
  return dev.skerry(...words, '--endpoint', node?.client ?? '');
}

async function untilRead(dev: DevProcess, r: number, key: string, value: string): Promise<void> {
  await vi.waitFor(async () => expect((await at(dev, r, 'kv', 'get', key)).out).toBe(`${value}\n`), patience);
}

describe('skerry dev with several regions', { timeout: 180_000 }, () => {
  test('joins regions of different size, is ready when they are linked, cuts and heals them', async () => {
    const dev = await startCluster('--nodes', '3,1');
    const report = JSON.parse(dev.out) as { regions: { nodes: { admin: string }[] }[] };
    expect(report.regions.map(({ nodes }) => nodes.length)).toEqual([3, 1]);
    for (const { admin } of report.regions.flatMap(({ nodes }) => nodes)) {
      expect(await (await fetch(`${admin}/status`)).json()).toMatchObject({ link: 'direct', links: [{ up: true }] });
    }

    await at(dev, 1, 'kv', 'set', 'a', 'one');
    await untilRead(dev, 2, 'a', 'one');
    expect(await dev.skerry('chaos', 'cut', 'region-1', 'region-2')).toMatchObject({ code: 0 });
    await at(dev, 1, 'kv', 'set', 'a', 'first');
    await at(dev, 2, 'kv', 'set', 'b', 'second');
    expect(await at(dev, 2, 'kv', 'get', 'a')).toMatchObject({ out: 'one\n' });
    expect(await at(dev, 1, 'kv', 'get', 'b')).toMatchObject({ code: 2 });
    expect(await dev.skerry('chaos', 'heal', 'region-2', 'region-1')).toMatchObject({ code: 0 });
    await untilRead(dev, 2, 'a', 'first');
    await untilRead(dev, 1, 'b', 'second');

    expect(await dev.skerry('chaos', 'cut', 'region-1', 'region-2-1')).toMatchObject({
      code: 1,
      err: 'skerry: name two nodes or two regions\n',
    });
    expect(await dev.skerry('chaos', 'cut', 'region-1', 'region-1')).toMatchObject({ code: 1 });
  });

  test('a region goes on when another one is stopped as a whole, which catches up when it is started', async () => {
    const dev = await startCluster('--nodes', '1,1,1');
    await at(dev, 2, 'kv', 'set', 'a', 'before');
    await untilRead(dev, 1, 'a', 'before');
    expect(await dev.skerry('chaos', 'stop-region', 'region-1')).toMatchObject({ code: 0 });
    expect(dev.nodes().map(({ state }) => state)).toEqual(['stopped', 'running', 'running']);
    await at(dev, 2, 'kv', 'set', 'a', 'meanwhile');
    await untilRead(dev, 3, 'a', 'meanwhile');
    expect(await dev.skerry('chaos', 'start-region', 'region-1')).toMatchObject({ code: 0 });
    await untilRead(dev, 1, 'a', 'meanwhile');
  });

  test('lists how far the regions are apart, as seen from each, lets one go that is away, and has it back re-seeded', async () => {
    const dev = await startCluster('--nodes', '1,1,1');
    await at(dev, 1, 'kv', 'set', 'a', 'one');
    await untilRead(dev, 3, 'a', 'one');
    const seen = async (): Promise<string[]> => {
      const { out } = await at(dev, 1, 'region', 'ls', '--all', '-o', 'json');
      const views = JSON.parse(out) as { from: string; regions: { region: string; state: string }[] }[];
      return views.flatMap(({ from, regions }) =>
        regions.filter(({ state }) => state !== 'self').map(({ region, state }) => `${from} ${region} ${state}`),
      );
    };
    const states = (of3: string): string[] => [
      'region-1 region-2 up',
      `region-1 region-3 ${of3}`,
      'region-2 region-1 up',
      `region-2 region-3 ${of3}`,
    ];
    await vi.waitFor(
      async () => expect(await seen()).toEqual([...states('up'), 'region-3 region-1 up', 'region-3 region-2 up']),
      patience,
    );
    expect(await dev.skerry('chaos', 'stop-region', 'region-3')).toMatchObject({ code: 0 });
    expect(await at(dev, 1, 'region', 'evict', 'region-3')).toMatchObject({ code: 0, out: 'done\n' });
    // The other regions learn of it.
    await vi.waitFor(async () => expect(await seen()).toEqual(states('evicted')), patience);
    await at(dev, 1, 'kv', 'set', 'a', 'two');
    await untilRead(dev, 2, 'a', 'two');

    expect(await dev.skerry('chaos', 'start-region', 'region-3')).toMatchObject({ code: 0 });
    await untilRead(dev, 3, 'a', 'two');
    await vi.waitFor(async () => expect(await seen()).toEqual(expect.arrayContaining(states('up'))), patience);
    await at(dev, 3, 'kv', 'set', 'a', 'three');
    await untilRead(dev, 1, 'a', 'three');
  });
});
