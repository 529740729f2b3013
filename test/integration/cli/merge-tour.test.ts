import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DevProcess, type CommandResult } from './dev-process.ts';

/** The second part of the tour in the README, on two regions of one node each. */
let dev: DevProcess;
let second: readonly string[] = [];

beforeAll(async () => {
  dev = new DevProcess(24_300, ['--regions', '2', '--nodes', '1']);
  await dev.ready();
  second = ['--endpoint', dev.nodes()[1]?.client ?? ''];
}, 60_000);

afterAll(() => dev.stop());

/** A command line whose words are separated by spaces, which has to end with 0. */
async function skerry(line: string, ...more: readonly string[]): Promise<string> {
  const { code, out, err } = await dev.skerry(...line.split(' '), ...more);
  expect({ line, code, err }).toMatchObject({ line, code: 0 });
  return out;
}

async function json(line: string, ...more: readonly string[]): Promise<unknown> {
  return JSON.parse(await skerry(line, ...more, '-o', 'json'));
}

async function inBoth(line: string): Promise<string[]> {
  return [await skerry(line), await skerry(line, ...second)];
}

/** Each command is a process of its own, which takes its time on a busy machine. */
describe('two regions that were apart', { timeout: 180_000 }, () => {
  test('merge values of all types, are found equal, and tell what lost and why', async () => {
    await skerry('set add hosts alpha');
    await skerry('set add hosts beta');
    await skerry('counter add visits 10');
    await skerry('multi set owner anna');
    await skerry('flag enable beta');
    await skerry('doc set note', '{"title":"Shopping","text":"old bread","lines":["bread"]}');
    expect(await skerry('check convergence')).toBe('equal: 5 keys on 2 nodes of 2 regions\n');
    await skerry('chaos cut region-1 region-2');

    await skerry('kv set mode one');
    await skerry('kv set mode two', ...second);
    await skerry('kv set weak here --local');
    await skerry('kv set weak there --local', ...second);
    await skerry('counter add visits 2');
    await skerry('counter add visits -5 --local', ...second);
    await skerry('set remove hosts alpha');
    await skerry('set add hosts alpha', ...second);
    await skerry('set remove hosts beta', ...second);
    await skerry('flag disable beta');
    await skerry('flag enable beta', ...second);
    const { view } = (await json('multi get owner')) as { view: { context: string } };
    await skerry(`multi set owner ben --context ${view.context}`);
    await skerry('multi set owner cleo', ...second);
    await skerry('doc edit note lines[]=milk');
    await skerry('doc set note', '{"title":"Shopping","text":"rye bread","lines":["bread"],"n":1}', ...second);
    // Where region-1 has appended, region-2 changes another part of the text.
    await skerry('doc edit note text[9:9]=s');

    const apart = await dev.skerry('check', 'convergence', '--timeout', '500', '-o', 'json');
    expect(apart.code).toBe(1);
    const { differing, differingKeys } = JSON.parse(apart.out) as {
      differing: number;
      differingKeys: { key: string }[];
    };
    expect([differing, differingKeys.map(({ key }) => key)]).toEqual([
      7,
      ['beta', 'hosts', 'mode', 'note', 'owner', 'visits', 'weak'],
    ]);

    await skerry('chaos heal');
    expect(await skerry('check convergence')).toBe('equal: 7 keys on 2 nodes of 2 regions\n');
    expect(await inBoth('kv get mode')).toEqual(['two\n', 'two\n']);
    expect(await inBoth('kv get weak')).toEqual(['there\n', 'there\n']);
    expect(await inBoth('counter get visits')).toEqual(['7\n', '7\n']);
    expect(await inBoth('set values hosts')).toEqual(['alpha\n', 'alpha\n']);
    expect(await inBoth('flag get beta')).toEqual(['enabled\n', 'enabled\n']);
    expect(await inBoth('multi get owner')).toEqual(['ben\ncleo\n', 'ben\ncleo\n']);
    for (const where of [[], second]) {
      expect(JSON.parse(await skerry('doc get note', ...where))).toEqual({
        title: 'Shopping',
        text: 'rye breads',
        lines: ['bread', 'milk'],
        n: 1,
      });
    }

    for (const where of [[], second]) {
      const ledger = (await json('conflicts ls', ...where)) as {
        key: string;
        loserRegion: string;
        winnerRegion: string;
      }[];
      expect(ledger.map(({ key, loserRegion, winnerRegion }) => [key, loserRegion, winnerRegion]).toSorted()).toEqual([
        ['mode', 'region-1', 'region-2'],
        ['weak', 'region-1', 'region-2'],
      ]);
      const story = await skerry('conflicts explain mode', ...where);
      expect(story).toMatch(
        /lost: the value "one", written \S+Z in region-1 .*\n {2}to: {3}the value "two", written \S+Z in region-2/,
      );
      expect(story).toMatch(/\nNow: two\n$/);
    }
  });

  test('give back what lost, and say what cannot be given back', async () => {
    await skerry('doc set list {"n":1}');
    await skerry('check convergence');
    await skerry('chaos cut region-1 region-2');
    await skerry('kv set a one');
    await skerry('kv set a two', ...second);
    await skerry('kv set typed text');
    await skerry('counter add typed 4', ...second);
    await skerry('kv del list');
    await skerry('doc edit list n:=2', ...second);
    await skerry('chaos heal');
    await skerry('check convergence');

    await restore('a');
    expect(await skerry('kv get a')).toBe('one\n');
    expect(await restore('list')).toMatchObject({
      code: 2,
      err: expect.stringContaining('builds on changes that went with') as string,
    });
    expect(await restore('typed')).toMatchObject({ code: 2, err: expect.stringContaining('--as OTHERKEY') as string });
    expect(await restore('typed', '--as', 'typed/text')).toMatchObject({ code: 0 });
    expect(await skerry('kv get typed/text')).toBe('text\n');
    await skerry('check convergence');
    expect(await skerry('kv get a', ...second)).toBe('one\n');
  });

  test('are watched for what loses from now on', async () => {
    const lines = dev.skerry('conflicts', 'watch', 'w/', '--count', '2', '--from-start');
    await skerry('chaos cut region-1 region-2');
    for (const key of ['w/1', 'other', 'w/2']) {
      await skerry(`kv set ${key} one`);
      await skerry(`kv set ${key} two`, ...second);
    }
    await skerry('chaos heal');
    const { out } = await lines;
    expect(out.replaceAll(/^\d+:\d+\t/gm, '')).toBe(
      'w/1\toverwrote\tone (region-1)\tto two (region-2)\nw/2\toverwrote\tone (region-1)\tto two (region-2)\n',
    );
  });
});

async function restore(key: string, ...more: readonly string[]): Promise<CommandResult> {
  const [record] = (await json(`conflicts ls ${key}`)) as { id: string }[];
  return dev.skerry('conflicts', 'restore', record?.id ?? '', ...more);
}
