import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isAlive, type DevNodeState, type DevState } from './state-file.ts';

/**
 * Kills the nodes that a supervisor left behind which was itself killed. A node that runs notices that by itself and
 * stops; one that was paused cannot. A process is only taken for a node if its command line names that node and its
 * data folder, since process ids are used again. Returns the names of the killed.
 */
export function killLeftovers(state: DevState): string[] {
  const nodes = state.regions.flatMap((region) => region.nodes);
  const left = nodes.filter((node) => node.pid !== null && isAlive(node.pid) && isNode(node.pid, node));
  for (const { pid } of left) {
    if (pid !== null) process.kill(pid, 'SIGKILL');
  }
  return [...left.map((node) => node.name), ...killLeftNats(state)];
}

/** It knows nothing of the supervisor, so it goes on when that is killed. */
function killLeftNats({ nats }: DevState): string[] {
  if (nats === undefined || nats.pid === null || !isAlive(nats.pid)) return [];
  const words = wordsOf(nats.pid);
  if (!(words[0] ?? '').endsWith('nats-server') || !words.includes(nats.storeDir)) return [];
  process.kill(nats.pid, 'SIGKILL');
  return ['nats-server'];
}

function isNode(pid: number, node: DevNodeState): boolean {
  const words = wordsOf(pid);
  const dataDir = join(dirname(node.log), node.name);
  return words.includes('server') && words.includes(node.name) && words.includes(dataDir);
}

/** The command line of a process; empty where it cannot be known: no /proc here, or it ended meanwhile. */
function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
