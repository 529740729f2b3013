import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { fakeCommand, fakePrograms, temporaryFolder, until } from '../testing/fake-node.ts';
import { testTerminal } from '../testing/test-terminal.ts';
import { runCli } from '../program.ts';
import { runDev, type DevParts } from './dev.ts';
import { isAlive, readDevState, writeDevState, type DevState } from './state-file.ts';

/** The nodes are fakes that listen nowhere; below the ports that the kernel gives to outgoing connections. */
const basePort = 18_500;

function options(dataDir: string): Parameters<typeof runDev>[0] {
  return { regions: 2, nodes: 1, partitions: 1, dataDir, basePort, json: true };
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
      { ...options(folder.path), regions: 1, basePort: port - 110 },
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

  test('refuses the link that is not there yet, saying what there is', async () => {
    const terminal = testTerminal();
    expect(await runCli(['dev', '--link', 'nats'], terminal)).toBe(1);
    expect(terminal.errors()).toContain('use --link direct');
  });
});
