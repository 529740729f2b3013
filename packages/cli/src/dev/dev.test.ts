import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fakeCommand, fakePrograms, temporaryFolder, until } from '../testing/fake-node.ts';
import { testTerminal } from '../testing/test-terminal.ts';
import { runCli } from '../program.ts';
import { runDev, type DevParts } from './dev.ts';
import { findNatsServer } from './nats.ts';
import { isAlive, readDevState, writeDevState, type DevState } from './state-file.ts';

/** The nodes are fakes that listen nowhere; below the ports that the kernel gives to outgoing connections. */
const basePort = 18_500;

function options(dataDir: string): Parameters<typeof runDev>[0] {
  return { sizes: [1, 1], link: 'direct', partitions: 1, dataDir, basePort, json: true };
}

function parts(program: string): DevParts {
  return { launch: () => () => fakeCommand(program), isReady: () => Promise.resolve(true) };
}

function pidsOf(state: DevState | null): number[] {
  return (state?.regions ?? []).flatMap((region) => region.nodes.flatMap((node) => node.pid ?? []));
}

describe('skerry dev', () => {
  test('prints one JSON line when ready, obeys chaos commands, and leaves nothing behind when interrupted', async () => {
    using folder = temporaryFolder();
    const terminal = testTerminal();
    const run = runDev(options(folder.path), terminal, parts(fakePrograms.obedient));
    await until(() => terminal.printed() !== '');
    expect(terminal.printed().trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(terminal.printed())).toMatchObject({
      ready: true,
      regions: [{ name: 'region-1' }, { name: 'region-2' }],
    });

    const pids = pidsOf(readDevState(folder.path));
    expect(pids).toHaveLength(2);
    const other = testTerminal();
    expect(await runCli(['chaos', 'kill', 'region-2-1', '--data', folder.path], other)).toBe(0);
    expect(isAlive(pids[1]!)).toBe(false);
    expect(await runCli(['chaos', 'kill', 'region-2-1', '--data', folder.path], other)).toBe(2);
    expect(other.errors()).toBe('skerry: region-2-1 is not running\n');
    expect(await runCli(['chaos', 'restart', 'region-2-1', '--data', folder.path], other)).toBe(0);

    const pidsAfter = pidsOf(readDevState(folder.path));
    terminal.interrupt();
    expect(await run).toBe(0);
    expect(pidsAfter.some(isAlive)).toBe(false);
    expect(readDevState(folder.path)).toBeNull();
    expect(terminal.errors()).toBe('');
  });

  test('does not start a second cluster on a folder that is in use', async () => {
    using folder = temporaryFolder();
    const first = testTerminal();
    const run = runDev(options(folder.path), first, parts(fakePrograms.obedient));
    await until(() => first.printed() !== '');
    // The same process stands in for another one: pretend that its id is the parent's.
    const state = readDevState(folder.path)!;
    writeDevState(folder.path, { ...state, pid: process.ppid });
    await expect(runDev(options(folder.path), testTerminal(), parts(fakePrograms.obedient))).rejects.toThrow(
      'already runs on',
    );
    writeDevState(folder.path, state);
    first.interrupt();
    await run;
  });

  test('names the ports that are taken', async () => {
    using folder = temporaryFolder();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const busy = runDev(
      { ...options(folder.path), sizes: [1], basePort: port - 110 },
      testTerminal(),
      parts(fakePrograms.obedient),
    );
    await expect(busy).rejects.toThrow(new RegExp(`ports? ${port}\\b.* in use`));
    server.close();
  });

  test('fails with the end of the log when a region cannot start', async () => {
    using folder = temporaryFolder();
    const terminal = testTerminal();
    const run = runDev(options(folder.path), terminal, {
      ...parts(fakePrograms.broken),
      isReady: () => Promise.resolve(false),
    });
    await expect(run).rejects.toThrow(
      /region-[12] cannot have a leader: region-[12]-1 ended at the start\.[^]*no such luck/,
    );
    expect(terminal.errors()).toMatch(/region-[12]-1 ended with code 65; its log is/);
  });

  // Needs /proc.
  test.runIf(process.platform === 'linux')(
    'ends the paused nodes that a killed supervisor left behind, and no other process',
    async () => {
      using folder = temporaryFolder();
      const idle = 'setInterval(() => {}, 1e6)';
      const node = spawn(process.execPath, ['-e', idle, 'server', 'region-1-1', `${folder.path}/region-1-1`], {
        stdio: 'ignore',
      });
      const stranger = spawn(process.execPath, ['-e', idle], { stdio: 'ignore' });
      const deadSupervisor = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
      await Promise.all([once(node, 'spawn'), once(stranger, 'spawn'), once(deadSupervisor, 'exit')]);
      const nodeState = (name: string, pid: number | undefined): DevState['regions'][number]['nodes'][number] => ({
        name,
        client: '',
        admin: '',
        state: 'paused',
        pid: pid ?? null,
        log: `${folder.path}/${name}.log`,
      });
      writeDevState(folder.path, {
        format: 1,
        pid: deadSupervisor.pid!,
        control: { url: '', token: '' },
        regions: [
          { name: 'region-1', nodes: [nodeState('region-1-1', node.pid), nodeState('region-1-2', stranger.pid)] },
        ],
      });

      const terminal = testTerminal();
      const gone = once(node, 'exit');
      const run = runDev({ ...options(folder.path), json: false }, terminal, parts(fakePrograms.obedient));
      await gone;
      await until(() => terminal.printed() !== '');
      expect(terminal.errors()).toContain('Ended what an earlier run left behind: region-1-1\n');
      expect(terminal.printed()).toContain('region-2-1');
      expect(isAlive(stranger.pid!)).toBe(true);
      stranger.kill('SIGKILL');
      terminal.interrupt();
      await run;
    },
  );

  test('is not ready before each node has a link to every other region', async () => {
    using folder = temporaryFolder();
    const terminal = testTerminal();
    const asked: string[] = [];
    let up = false;
    const run = runDev({ ...options(folder.path), sizes: [1, 1, 1] }, terminal, {
      ...parts(fakePrograms.obedient),
      isReady: async (node, linkCount) => {
        asked.push(`${node.name} ${linkCount}`);
        return up;
      },
    });
    await until(() => asked.length > 6);
    expect(terminal.printed()).toBe('');
    expect(new Set(asked)).toEqual(new Set(['region-1-1 2', 'region-2-1 2', 'region-3-1 2']));
    up = true;
    await until(() => terminal.printed() !== '');
    terminal.interrupt();
    await run;
  });

  test('stops a region as a whole and starts it again', async () => {
    using folder = temporaryFolder();
    const terminal = testTerminal();
    const run = runDev({ ...options(folder.path), sizes: [2, 1] }, terminal, parts(fakePrograms.obedient));
    await until(() => terminal.printed() !== '');
    const states = (): string[] =>
      (readDevState(folder.path)?.regions ?? []).flatMap(({ nodes }) =>
        nodes.map(({ name, state }) => `${name} ${state}`),
      );
    const chaos = (...words: string[]): Promise<number> => runCli(['chaos', ...words, '--data', folder.path], other);
    const other = testTerminal();
    expect(await chaos('stop-region', 'region-1')).toBe(0);
    expect(states()).toEqual(['region-1-1 stopped', 'region-1-2 stopped', 'region-2-1 running']);
    expect(await chaos('start-region', 'region-1')).toBe(0);
    expect(states()).toEqual(['region-1-1 running', 'region-1-2 running', 'region-2-1 running']);
    // Nodes that run are left alone.
    await chaos('kill', 'region-1-1');
    const pids = pidsOf(readDevState(folder.path));
    expect(await chaos('start-region', 'region-1')).toBe(0);
    expect(pidsOf(readDevState(folder.path)).slice(1)).toEqual(pids);
    expect([await chaos('stop-region', 'region-9'), other.errors()]).toEqual([
      2,
      'skerry: there is no region region-9; there are region-1, region-2\n',
    ]);
    terminal.interrupt();
    await run;
  });
});

describe('skerry dev --link nats', () => {
  /** A program called nats-server, in a folder to be put on PATH. */
  function fakeNats(folder: string, program: string): string {
    writeFileSync(join(folder, 'nats-server'), `#!${process.execPath}\n${program}`, { mode: 0o755 });
    return folder;
  }

  test('says what is missing where there is no nats-server', async () => {
    expect(() => findNatsServer({ PATH: '/nonexistent' }, [])).toThrow(
      '--link nats needs nats-server, which is not on PATH: install it',
    );
    const terminal = testTerminal({ env: { SKERRY_NATS_SERVER: '/nonexistent/nats' } });
    expect(await runCli(['dev', '--link', 'nats'], terminal)).toBe(1);
    expect(terminal.errors()).toBe('skerry: SKERRY_NATS_SERVER names /nonexistent/nats, which is no program\n');
  });

  test('finds it on PATH, then where systems put it, unless one is named', () => {
    using folder = temporaryFolder();
    const file = join(fakeNats(folder.path, ''), 'nats-server');
    expect(findNatsServer({ PATH: `/nonexistent:${folder.path}` }, [])).toBe(file);
    expect(findNatsServer({}, [folder.path])).toBe(file);
    expect(findNatsServer({ PATH: folder.path, SKERRY_NATS_SERVER: process.execPath })).toBe(process.execPath);
  });

  test('runs one for all regions, and stops it with them', async () => {
    using folder = temporaryFolder();
    const PATH = fakeNats(folder.path, "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1e6);");
    const terminal = testTerminal({ env: { PATH } });
    const dataDir = join(folder.path, 'data');
    const run = runDev({ ...options(dataDir), link: 'nats' }, terminal, parts(fakePrograms.obedient));
    await until(() => terminal.printed() !== '');
    const nats = readDevState(dataDir)?.nats;
    expect(nats).toMatchObject({ url: 'nats://127.0.0.1:18503', storeDir: join(dataDir, 'nats') });
    expect(isAlive(nats!.pid!)).toBe(true);
    terminal.interrupt();
    expect(await run).toBe(0);
    expect(isAlive(nats!.pid!)).toBe(false);
  });

  test('fails with the end of its log when it cannot start', async () => {
    using folder = temporaryFolder();
    const PATH = fakeNats(folder.path, "console.error('no such luck'); process.exit(1);");
    const terminal = testTerminal({ env: { PATH } });
    const run = runDev({ ...options(join(folder.path, 'data')), link: 'nats' }, terminal, {
      ...parts(fakePrograms.obedient),
      isReady: () => Promise.resolve(false),
    });
    await expect(run).rejects.toThrow(/nats-server ended at the start\.[^]*no such luck/);
  });
});

describe('the sizes of the regions', () => {
  test.each([
    [['--regions', '2', '--nodes', '5,3,1'], 'skerry: --nodes has 3 counts for 2 regions\n'],
    [['--nodes', '5,3,x'], "error: option '--nodes <counts>' argument '5,3,x' is invalid."],
    [['--nodes', '5,0'], "error: option '--nodes <counts>' argument '5,0' is invalid."],
    [['--nodes', '3,10'], 'skerry: --nodes must be a whole number from 1 to 9\n'],
  ])('%j are refused', async (flags, message) => {
    const terminal = testTerminal();
    expect(await runCli(['dev', ...flags], terminal)).toBe(1);
    expect(terminal.errors()).toContain(message);
  });
});
