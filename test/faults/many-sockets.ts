import { readFileSync } from 'node:fs';
import { encodeFrame, protocolVersion } from '@skerry/protocol';
import { WebSocket } from 'ws';
import { withRegion } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import { report, spread, type Scenario } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';

const mebibyte = 1_024 * 1_024;
const openingAtOnce = 200;
/** More than two rounds of the node's pings, after which a socket that does not answer is closed. */
const idleMs = 25_000;

/** FAULTS F12. One trial is one idle socket. */
export const manySockets: Scenario = {
  name: 'many-sockets',
  summary: 'idle client sockets on one node: all stay open, what they cost, and how the node answers beside them',
  trials: 10_000,
  run: async ({ trials, say }) => {
    const limit = openFilesMax();
    if (limit < trials + 100) {
      return { figures: [], violations: [], skipped: `many-sockets needs ${trials} open files, the limit is ${limit}` };
    }
    return withRegion({}, async (region) => {
      const node = region.nodes[0] as RegionNode;
      const client = await region.pinned(node);
      await client.set('k', 'v');
      const before = memoryMiB(node);
      const sockets = await openSockets(node, trials, say);
      await until('the node to count them', async () => (await clientsOf(node)) >= trials);
      const opened = memoryMiB(node);
      const latencies: number[] = [];
      const endMs = performance.now() + idleMs;
      while (performance.now() < endMs) {
        const startMs = performance.now();
        await client.set('k', String(startMs));
        await client.get('k');
        latencies.push(performance.now() - startMs);
        await pause(20);
      }
      const violations: string[] = [];
      const closed = sockets.filter(({ readyState }) => readyState !== WebSocket.OPEN).length;
      if (closed > 0) violations.push(`${closed} idle sockets were closed`);
      const left = await clientsOf(node);
      if (left < trials) violations.push(`the node counts ${left} clients`);
      const after = memoryMiB(node);
      for (const socket of sockets) socket.terminate();
      await until('the node to notice that they are gone', async () => (await clientsOf(node)) <= 1);
      await region.settled();
      return report(
        [
          { name: 'idle sockets', value: trials, unit: 'count' },
          { name: 'memory of the node before', value: before, unit: 'MiB' },
          { name: 'with the sockets', value: Math.max(opened, after), unit: 'MiB' },
          {
            name: 'per socket',
            value: ((Math.max(opened, after) - before) * mebibyte) / trials,
            unit: 'bytes',
            max: 64 * 1_024,
          },
          ...spread('a set and a get beside them', latencies),
        ],
        violations,
      );
    });
  },
};

async function openSockets(node: RegionNode, count: number, say: (line: string) => void): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  const hello = encodeFrame([{ kind: 'hello', protocolVersion, cluster: null }]);
  const openOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(node.clientUrl, { perMessageDeflate: false });
      sockets.push(socket);
      socket.on('open', () => socket.send(hello));
      socket.once('message', () => resolve());
      socket.on('error', reject);
    });
  for (let opened = 0; opened < count; opened += openingAtOnce) {
    await Promise.all(Array.from({ length: Math.min(openingAtOnce, count - opened) }, openOne));
    if ((opened + openingAtOnce) % 2_000 === 0) say(`${opened + openingAtOnce} sockets`);
  }
  return sockets;
}

async function clientsOf(node: RegionNode): Promise<number> {
  const status = await node.status(5_000);
  return (status as unknown as { readonly clients?: number } | null)?.clients ?? 0;
}

/** Resident memory that is of no file; the whole where the system does not tell them apart. */
function memoryMiB(node: RegionNode): number {
  const status = readFileSync(`/proc/${node.pid}/status`, 'utf8');
  return Number((/^RssAnon:\s+(\d+)/m.exec(status) ?? /^VmRSS:\s+(\d+)/m.exec(status))?.[1] ?? Number.NaN) / 1_024;
}

function openFilesMax(): number {
  try {
    return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
