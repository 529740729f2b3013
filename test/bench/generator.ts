import { performance } from 'node:perf_hooks';
import { keyOf } from './lib/keys.ts';
import { closedLoop, openLoops, withOpenMax, type Call, type LoadResult } from './lib/load.ts';
import { callOf, valuesOf, type WorkloadName, type WorkloadOptions } from './lib/workloads.ts';
import { openSession } from './sessions/open.ts';
import type { Session, Target } from './sessions/session.ts';

/** What a generator is told, one at a time. */
export type Order =
  | { readonly order: 'open'; readonly target: Target }
  | ({ readonly order: 'fill'; readonly keys: number; readonly valueBytes: number; readonly seed: number } & FillPace)
  | { readonly order: 'run'; readonly run: Run }
  | { readonly order: 'close' };

interface FillPace {
  readonly batch: number;
  readonly inFlight: number;
}

/** A load on the open target. */
export type Run = WorkloadOptions & { readonly workload: WorkloadName } & (
    | { readonly kind: 'closed'; readonly inFlight: number; readonly warmUpMs: number; readonly measureMs: number }
    | { readonly kind: 'open'; readonly steps: readonly Step[]; readonly drainMs: number }
  );

/** An offered load for a while. */
export interface Step {
  readonly callsPerSecond: number;
  readonly durationMs: number;
}

/** What a generator says. Edges come while a run goes on; each order ends with `done` or `failed`. */
export type Report =
  | { readonly report: 'edge'; readonly edge: 'open' | 'close' }
  | { readonly report: 'done'; readonly result: readonly GeneratorResult[] | null }
  | { readonly report: 'failed'; readonly why: string };

export interface GeneratorResult extends LoadResult {
  /** Processor time of the generator in the window, milliseconds. */
  readonly processorMs: number;
  /** Share of the window in which its event loop had work; near 1: the generator was the bottleneck. */
  readonly busy: number;
}

let sessions: Session[] = [];

process.on('message', (order: Order) => {
  obey(order).then(
    (result) => say({ report: 'done', result }),
    (error: unknown) => say({ report: 'failed', why: error instanceof Error ? (error.stack ?? '') : String(error) }),
  );
});
// Whoever started this process is gone.
process.on('disconnect', () => process.exit(1));

function say(report: Report): void {
  // Whoever asked may be gone, and this process with it in a moment.
  if (process.connected) process.send?.(report);
}

async function obey(order: Order): Promise<GeneratorResult[] | null> {
  switch (order.order) {
    case 'open': {
      const { target } = order;
      sessions = await Promise.all(Array.from({ length: target.connections }, () => openSession(target)));
      return null;
    }
    case 'fill':
      await fill(order);
      return null;
    case 'run':
      return run(order.run);
    case 'close':
      await Promise.all(sessions.map((session) => session.close()));
      sessions = [];
      return null;
  }
}

async function fill(order: Extract<Order, { order: 'fill' }>): Promise<void> {
  const { keys, batch, inFlight } = order;
  const values = valuesOf(order);
  const session = sessions[0] as Session;
  let next = 0;
  const filler = async (): Promise<void> => {
    while (next < keys) {
      const from = next;
      next = Math.min(keys, next + batch);
      const entries = Array.from({ length: next - from }, (_, i): [string, string] => [
        keyOf(from + i),
        values[(from + i) % values.length] as string,
      ]);
      await session.fill(entries);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, filler));
}

/** Of an offered load: two seconds of the highest one that is measured. */
const openMax = 20_000;

/** One result of each step; null: the system has no such call. */
async function run(options: Run): Promise<GeneratorResult[] | null> {
  const calls = sessions.map((session, index) =>
    callOf(options.workload, session, { ...options, seed: options.seed + index }),
  );
  if (calls.includes(null)) return null;
  let turn = 0;
  const call: Call = calls.length === 1 ? (calls[0] as Call) : () => (calls[turn++ % calls.length] as Call)();
  if (options.kind === 'closed') {
    const usage = new Usage();
    return [{ ...(await closedLoop(call, { ...options, onEdge: usage.edge })), ...usage.used }];
  }
  const usages = options.steps.map(() => new Usage());
  const { drainMs } = options;
  const loads = options.steps.map((step, index) => ({ ...step, drainMs, onEdge: usages[index]?.edge }));
  const results = await openLoops(withOpenMax(call, openMax), loads);
  return results.map((result, index) => ({ ...result, ...(usages[index] as Usage).used }));
}

/** What this process uses within the window. */
class Usage {
  #cpu = process.cpuUsage();
  #loop = performance.eventLoopUtilization();
  used = { processorMs: 0, busy: 0 };

  readonly edge = (edge: 'open' | 'close'): void => {
    say({ report: 'edge', edge });
    const cpu = process.cpuUsage(this.#cpu);
    const loop = performance.eventLoopUtilization(this.#loop);
    if (edge === 'close') this.used = { processorMs: (cpu.user + cpu.system) / 1_000, busy: loop.utilization };
    this.#cpu = process.cpuUsage();
    this.#loop = performance.eventLoopUtilization();
  };
}
