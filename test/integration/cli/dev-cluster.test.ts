import { closeSync, fstatSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { DevProcess, entry, isAlive } from './dev-process.ts';

const basePort = 21_000;
const running: DevProcess[] = [];

async function startCluster(): Promise<DevProcess> {
  const dev = new DevProcess(basePort);
  running.push(dev);
  await dev.ready();
  return dev;
}

afterEach(async () => {
  for (const dev of running.splice(0)) await dev.stop();
});

const patience = { timeout: 20_000, interval: 50 };

/** Each command is a process of its own, which takes its time on a busy machine. */
describe('skerry dev with real nodes', { timeout: 180_000 }, () => {
  test('prints one line when ready, answers commands with their exit codes, and stops every node when told to', async () => {
    const dev = await startCluster();
    expect(dev.out.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(dev.out)).toMatchObject({
      ready: true,
      regions: [{ name: 'region-1', nodes: [{ client: `ws://127.0.0.1:${basePort + 110}` }, {}, {}] }],
    });

    expect(await dev.skerry('kv', 'get', 'a')).toEqual({ code: 2, out: '', err: 'not found\n' });
    expect(await dev.skerry('kv', 'swap', 'a', 'one', '--absent')).toMatchObject({ code: 0 });
    expect(await dev.skerry('kv', 'swap', 'a', 'two', 'none')).toMatchObject({ code: 2 });
    expect(await dev.skerry('kv', 'get', 'a')).toEqual({ code: 0, out: 'one\n', err: '' });
    expect(await dev.skerry('kv', 'del', 'a')).toEqual({ code: 0, out: 'deleted\n', err: '' });
    expect(await dev.skerry('kv', 'del', 'a')).toEqual({ code: 0, out: 'there was no such key\n', err: '' });
    // Whoever is inside finds the lock taken; it is free again afterwards.
    const inside = ['lock', 'l', '--no-wait', '--', process.execPath, entry, 'lock', 'l', '--no-wait'];
    expect(await dev.skerry(...inside, '--', 'true')).toEqual({
      code: 2,
      out: '',
      err: 'refused: another holder has the lock l\n',
    });
    expect(await dev.skerry('lock', 'l', '--no-wait', '--', 'true')).toMatchObject({ code: 0 });
    expect(await dev.skerry('status')).toMatchObject({ code: 0, out: expect.stringMatching(/leader/) as string });

    const pids = dev.pids();
    expect(pids).toHaveLength(3);
    dev.process.kill('SIGTERM');
    expect(await dev.ended).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(dev.err).toBe('');
  });

  test('goes on without a majority, and promotes what was written then', async () => {
    const dev = await startCluster();
    await dev.skerry('kv', 'set', 'a', 'before');
    expect(await dev.skerry('chaos', 'kill', 'region-1-2', 'region-1-3')).toMatchObject({ code: 0 });
    expect(await dev.skerry('kv', 'get', 'a', '--local')).toMatchObject({ code: 0, out: 'before\n' });
    const write = await dev.skerry('kv', 'set', 'a', 'alone', '--local');
    const receipt = /receipt (\S+)/.exec(write.out)?.[1] ?? '';
    expect(await dev.skerry('kv', 'set', 'b', 'never', '--no-wait')).toEqual({
      code: 3,
      out: '',
      err: 'timeout, not applied: it never will be\n',
    });
    expect(await dev.skerry('receipt', 'wait', receipt, '--no-wait')).toMatchObject({ code: 3 });

    expect(await dev.skerry('chaos', 'restart', 'region-1-2', 'region-1-3')).toMatchObject({ code: 0 });
    expect(await dev.skerry('receipt', 'wait', receipt)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^promoted/) as string,
    });
    for (const { client } of dev.nodes()) {
      expect(await dev.skerry('kv', 'get', 'a', '--endpoint', client)).toMatchObject({ out: 'alone\n' });
      expect(await dev.skerry('kv', 'get', 'b', '--endpoint', client)).toMatchObject({ code: 2 });
    }
  });

  test('cuts and heals connections, pauses and resumes nodes', async () => {
    const dev = await startCluster();
    await dev.skerry('chaos', 'pause', 'region-1-3');
    await dev.skerry('chaos', 'cut', 'region-1-1', 'region-1-2');
    expect(await dev.skerry('kv', 'set', 'a', 'x', '--no-wait')).toMatchObject({ code: 3 });
    expect(await dev.skerry('chaos', 'heal')).toMatchObject({ code: 0 });
    expect(await dev.skerry('kv', 'set', 'a', 'y')).toMatchObject({ code: 0 });
    await dev.skerry('chaos', 'resume', 'region-1-3');
    expect(await dev.skerry('kv', 'get', 'a')).toMatchObject({ out: 'y\n' });
    expect(await dev.skerry('chaos', 'cut', 'region-1-1', 'region-9-9')).toMatchObject({
      code: 2,
      err: 'skerry: there is no node region-9-9\n',
    });
  });

  test('a node with corrupt data refuses to start, says what and where and how, and one command rebuilds it', async () => {
    const dev = await startCluster();
    await dev.skerry('kv', 'set', 'a', 'kept');
    await dev.skerry('chaos', 'kill', 'region-1-2');
    spoil(join(dev.folder, 'region-1-2', 'data.mdb'));
    await dev.skerry('chaos', 'restart', 'region-1-2');
    await vi.waitFor(() => expect(dev.nodes()[1]).toMatchObject({ state: 'crashed', pid: null }), patience);
    expect(dev.err).toContain('region-1-2 ended with code 65; its log is');
    const log = logOf(dev, 'region-1-2');
    expect(log).toMatch(/region-1-2 cannot start: its data in \S+ is corrupt \(.*data\.mdb.*\)/);
    expect(log).toMatch(/Rebuild it from its peers with:\n {2}skerry server --rebuild .*--node region-1-2/);

    expect(await dev.skerry('chaos', 'rebuild', 'region-1-2')).toMatchObject({ code: 0 });
    await vi.waitFor(() => expect(logOf(dev, 'region-1-2')).toMatch(/^rebuilt: applied \d+ entries$/m), patience);
    expect(await dev.skerry('kv', 'get', 'a', '--local', '--endpoint', dev.nodes()[1]?.client ?? '')).toMatchObject({
      out: 'kept\n',
    });
    expect(readdirSync(dev.folder).some((name) => name.startsWith('region-1-2.corrupt-'))).toBe(true);
    // It counts again: without it there would be no majority now.
    await dev.skerry('chaos', 'kill', 'region-1-3');
    expect(await dev.skerry('kv', 'set', 'a', 'after', '--timeout', '10000')).toMatchObject({ code: 0 });
  });

  test('no node outlives a supervisor that was killed', async () => {
    const dev = await startCluster();
    const pids = dev.pids();
    dev.process.kill('SIGKILL');
    await dev.ended;
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), patience);
  });
});

function logOf(dev: DevProcess, node: string): string {
  return readFileSync(join(dev.folder, `${node}.log`), 'utf8');
}

/** Overwrites every page but LMDB's two first, behind its header. */
function spoil(path: string): void {
  const file = openSync(path, 'r+');
  const { size } = fstatSync(file);
  const page = 4_096;
  const header = 16;
  for (let at = 2 * page; at < size; at += page)
    writeSync(file, Buffer.alloc(page - header, 0xa5), 0, page - header, at + header);
  closeSync(file);
}
