import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { fakeCommand, fakePrograms, temporaryFolder, until } from '../testing/fake-node.ts';
import { planDevCluster, type DevNode } from './layout.ts';
import { isAlive } from './state-file.ts';
import { Supervisor } from './supervisor.ts';

const running: { supervisor: Supervisor; folder: ReturnType<typeof temporaryFolder> }[] = [];

afterEach(async () => {
  for (const { supervisor, folder } of running.splice(0)) {
    await supervisor.stopAll();
    folder[Symbol.dispose]();
  }
});

function startNodes(
  program: string,
  stopGraceMs = 5_000,
): { supervisor: Supervisor; nodes: DevNode[]; crashes: string[] } {
  const folder = temporaryFolder();
  const [region] = planDevCluster({
    sizes: [2],
    link: 'direct',
    partitions: 1,
    dataDir: folder.path,
    basePort: 7_000,
  });
  const nodes = [...region!.nodes];
  const crashes: string[] = [];
  const supervisor = new Supervisor(nodes, {
    launch: () => fakeCommand(program),
    onCrash: (node, exit) => crashes.push(`${node.name} ${exit.code ?? exit.signal}`),
    onChange: () => {},
    stopGraceMs,
  });
  running.push({ supervisor, folder });
  supervisor.startAll();
  return { supervisor, nodes, crashes };
}

function logged(node: DevNode, line: string): () => boolean {
  return () => readFileSync(node.logFile, 'utf8').includes(line);
}

/** The letter that Linux shows for a process: T is stopped. */
function processState(pid: number): string | undefined {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0];
}

describe('the supervisor of a dev cluster', () => {
  test('runs each node as a process of its own, with its output in its log', async () => {
    const { supervisor, nodes } = startNodes(fakePrograms.obedient);
    await Promise.all(nodes.map((node) => until(logged(node, 'up'))));
    const pids = nodes.map((node) => supervisor.state(node.name).pid);
    expect(new Set(pids).size).toBe(2);
    expect(pids.every((pid) => pid !== null && isAlive(pid))).toBe(true);
  });

  test('kills one node, which stays away until it is restarted', async () => {
    const { supervisor, nodes, crashes } = startNodes(fakePrograms.obedient);
    const [first, second] = nodes as [DevNode, DevNode];
    const { pid } = supervisor.state(first.name);
    await supervisor.act('kill', first.name);
    expect(isAlive(pid!)).toBe(false);
    expect(supervisor.state(first.name)).toEqual({ state: 'stopped', pid: null });
    expect(supervisor.state(second.name).state).toBe('running');
    await expect(supervisor.act('kill', first.name)).rejects.toThrow('region-1-1 is not running');
    await supervisor.act('restart', first.name);
    expect(supervisor.state(first.name).state).toBe('running');
    expect(crashes).toEqual([]);
  });

  // Needs /proc.
  test.runIf(process.platform === 'linux')('pauses a node and lets it go on', async () => {
    const { supervisor, nodes } = startNodes(fakePrograms.obedient);
    const [node] = nodes as [DevNode];
    const { pid } = supervisor.state(node.name);
    await supervisor.act('pause', node.name);
    await until(() => processState(pid!) === 'T');
    expect(supervisor.state(node.name).state).toBe('paused');
    await supervisor.act('resume', node.name);
    await until(() => processState(pid!) !== 'T');
  });

  test('stops a paused node too', async () => {
    const { supervisor, nodes } = startNodes(fakePrograms.obedient);
    const [node] = nodes as [DevNode];
    const { pid } = supervisor.state(node.name);
    await until(logged(node, 'up'));
    await supervisor.act('pause', node.name);
    await supervisor.stopAll();
    expect(isAlive(pid!)).toBe(false);
  });

  test('kills a node that does not stop when asked', async () => {
    const { supervisor, nodes } = startNodes(fakePrograms.stubborn, 50);
    const pids = nodes.map((node) => supervisor.state(node.name).pid!);
    await Promise.all(nodes.map((node) => until(logged(node, 'up'))));
    await supervisor.stopAll();
    expect(pids.some(isAlive)).toBe(false);
    expect(readFileSync(nodes[0]!.logFile, 'utf8')).toContain('no');
  });

  test('reports a node that ends by itself and does not start it again', async () => {
    const { supervisor, nodes, crashes } = startNodes(fakePrograms.broken);
    await until(() => crashes.length === 2);
    expect(crashes.toSorted()).toEqual(['region-1-1 65', 'region-1-2 65']);
    expect(supervisor.state(nodes[0]!.name)).toEqual({ state: 'crashed', pid: null });
  });

  test('names the nodes there are when asked for another one', async () => {
    const { supervisor } = startNodes(fakePrograms.obedient);
    await expect(supervisor.act('kill', 'region-9-9')).rejects.toThrow(
      'there is no node region-9-9; there are region-1-1, region-1-2',
    );
  });
});
