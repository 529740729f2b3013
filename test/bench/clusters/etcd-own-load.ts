import { spawn } from 'node:child_process';

/** Writes a second that a load of `etcdctl check perf` offers at most, in the order of their size. */
const loads = [
  { load: 'l', limit: 8_000 },
  { load: 'xl', limit: 15_000 },
] as const;

export interface OwnLoad {
  readonly writesPerSecond: number;
  readonly load: 'l' | 'xl';
}

/**
 * etcd's own generator: 500 or 1,000 Go clients for 60 s, keys of 256 bytes and values of 1 KiB (fixed by the program).
 * The larger load follows where the smaller one was no challenge. Takes one minute, or two.
 */
export async function etcdOwnLoad(etcdctl: string, endpoints: readonly string[]): Promise<OwnLoad> {
  let best: OwnLoad | null = null;
  for (const { load, limit } of loads) {
    const prefix = `/check-perf-${load}-${Date.now()}/`;
    const args = ['check', 'perf', `--load=${load}`, `--prefix=${prefix}`, `--endpoints=${endpoints.join(',')}`];
    const writesPerSecond = throughputOf(await outputOf(etcdctl, args));
    if (best === null || writesPerSecond > best.writesPerSecond) best = { writesPerSecond, load };
    if (writesPerSecond < 0.9 * limit) break;
  }
  return best as OwnLoad;
}

/** `PASS: Throughput is 7996 writes/s`, or `FAIL: Throughput too low: 2103 writes/s`. */
export function throughputOf(output: string): number {
  const found = /Throughput (?:is|too low:) (\d+) writes\/s/.exec(output)?.[1];
  if (found === undefined) throw new Error(`etcdctl check perf told no throughput: ${output.trim().slice(-200)}`);
  return Number(found);
}

/** It ends with 1 when etcd is slower than it wants. */
function outputOf(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ETCDCTL_API: '3' },
      timeout: 180_000,
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    child.once('error', reject);
    child.once('close', () => {
      resolve(output);
    });
  });
}
