import { Histogram, type HistogramData } from './histogram.ts';

/** The time that a load runs by; tests have one of their own. */
export interface LoadTime {
  /** Milliseconds since any moment. */
  readonly now: () => number;
  readonly after: (ms: number, run: () => void) => void;
}

export const realTime: LoadTime = {
  now: () => performance.now(),
  after: (ms, run) => {
    setTimeout(run, ms);
  },
};

/** One call of a workload; rejects when it failed. */
export type Call = () => Promise<unknown>;

/** What a load saw in its window. Processes hand it to each other as JSON. */
export interface LoadResult {
  readonly windowMs: number;
  /** Calls that succeeded within the window. */
  readonly completed: number;
  readonly failed: number;
  /** Open loop: calls that were never answered, or not in time. They count as failed. */
  readonly unanswered: number;
  /** Why the first one failed; null: none did. */
  readonly firstError: string | null;
  /** Closed loop: from call to answer. Open loop: from the moment the call was due, so that a stall counts for all. */
  readonly latency: HistogramData;
  /** Open loop: how long after it was due the generator made a call. Large: the generator was the bottleneck. */
  readonly lateness: HistogramData;
  /** Successes in each second since the window opened, by when they were answered. Open loop: those after its end too. */
  readonly perSecond: readonly number[];
  /** Open loop: of the calls that were due in each second and succeeded; NaN: none did. */
  readonly p99MsPerSecond: readonly number[];
}

export interface Window {
  /** Calls before this are made and not counted: connections, caches, and compilers warm up. */
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Called as the window opens and as it closes. */
  readonly onEdge?: (edge: 'open' | 'close') => void;
}

/** Counts what answers come within a window. */
class Tally {
  readonly latency = new Histogram();
  readonly lateness = new Histogram();
  readonly perSecond: number[];
  readonly latencyPerSecond: Histogram[] = [];
  readonly windowMs: number;
  completed = 0;
  failed = 0;
  unanswered = 0;
  firstError: string | null = null;

  /** `afterMs`: how long answers may come after the window. */
  constructor(windowMs: number, afterMs = 0) {
    this.windowMs = windowMs;
    this.perSecond = Array.from({ length: Math.ceil((windowMs + afterMs) / 1_000) }, () => 0);
  }

  succeed(latencyMs: number, sinceOpenMs: number): void {
    this.completed++;
    this.latency.record(latencyMs);
    const second = Math.min(this.perSecond.length - 1, Math.floor(sinceOpenMs / 1_000));
    this.perSecond[second] = (this.perSecond[second] ?? 0) + 1;
  }

  succeedDue(latencyMs: number, { dueMs, endMs }: { readonly dueMs: number; readonly endMs: number }): void {
    this.succeed(latencyMs, endMs);
    const second = Math.floor(dueMs / 1_000);
    (this.latencyPerSecond[second] ??= new Histogram()).record(latencyMs);
  }

  fail(error: unknown): void {
    this.failed++;
    this.firstError ??= error instanceof Error ? error.message : String(error);
  }

  result(): LoadResult {
    const { windowMs, completed, failed, unanswered, firstError, perSecond } = this;
    return {
      windowMs,
      completed,
      failed: failed + unanswered,
      unanswered,
      firstError,
      latency: this.latency.data(),
      lateness: this.lateness.data(),
      perSecond,
      p99MsPerSecond: Array.from(this.latencyPerSecond, (histogram) => histogram?.quantileMs(0.99) ?? Number.NaN),
    };
  }
}

/**
 * `inFlight` callers, each of which makes its next call when the one before is answered. It finds the greatest
 * throughput; its latencies are those at that throughput and not those of clients that come by themselves.
 */
export async function closedLoop(
  call: Call,
  { inFlight, warmUpMs, measureMs, onEdge }: Window & { readonly inFlight: number },
  time: LoadTime = realTime,
): Promise<LoadResult> {
  const openMs = time.now() + warmUpMs;
  const closeMs = openMs + measureMs;
  const tally = new Tally(measureMs);
  // A timer can come late on a busy machine; an answer may show first that the moment is there.
  const isPast = { open: false, close: false };
  const passed = (edge: 'open' | 'close'): void => {
    if (isPast[edge]) return;
    isPast[edge] = true;
    onEdge?.(edge);
  };
  time.after(warmUpMs, () => {
    passed('open');
  });
  time.after(warmUpMs + measureMs, () => {
    passed('close');
  });
  const caller = async (): Promise<void> => {
    let startMs = time.now();
    while (startMs < closeMs) {
      let error: unknown = null;
      try {
        await call();
      } catch (thrown) {
        error = thrown ?? 'failed';
      }
      const endMs = time.now();
      if (endMs >= openMs) passed('open');
      if (endMs >= closeMs) passed('close');
      if (endMs >= openMs && endMs < closeMs) {
        if (error === null) tally.succeed(endMs - startMs, endMs - openMs);
        else tally.fail(error);
      }
      startMs = endMs;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return tally.result();
}

/** An offered load: calls of which each is due at a fixed moment, whatever became of those before. */
export interface OfferedLoad {
  readonly callsPerSecond: number;
  readonly durationMs: number;
  /** How long after the end answers are waited for; later ones are failures. */
  readonly drainMs: number;
  readonly onEdge?: Window['onEdge'];
}

/**
 * Makes calls at a constant rate and measures each from the moment it was due, not from the moment it was made: else a
 * stall of the system would slow the generator down and hide itself ("coordinated omission", Gil Tene).
 */
export function openLoop(
  call: Call,
  { callsPerSecond, durationMs, drainMs, onEdge }: OfferedLoad,
  time: LoadTime = realTime,
): Promise<LoadResult> {
  const tally = new Tally(durationMs, drainMs);
  const count = Math.round((callsPerSecond * durationMs) / 1_000);
  const openMs = time.now();
  let issued = 0;
  let answered = 0;
  onEdge?.('open');
  return new Promise((resolve) => {
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      tally.unanswered = count - answered;
      if (tally.unanswered > 0) tally.firstError ??= `no answer within ${drainMs} ms of the end`;
      onEdge?.('close');
      resolve(tally.result());
    };
    const settle = (count_: () => void): void => {
      // On a busy machine the timer that ends the wait can itself be late.
      if (time.now() > openMs + durationMs + drainMs) end();
      if (isOver) return;
      answered++;
      count_();
      if (answered === count) end();
    };
    const issue = (dueMs: number): void => {
      tally.lateness.record(time.now() - dueMs);
      let answer: Promise<unknown>;
      try {
        answer = call();
      } catch (error) {
        answer = Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
      answer.then(
        () => {
          settle(() => {
            const endMs = time.now();
            tally.succeedDue(endMs - dueMs, { dueMs: dueMs - openMs, endMs: endMs - openMs });
          });
        },
        (error: unknown) => {
          settle(() => {
            tally.fail(error);
          });
        },
      );
    };
    const tick = (): void => {
      const nowMs = time.now();
      for (;;) {
        const dueMs = openMs + (issued * 1_000) / callsPerSecond;
        if (issued === count || dueMs > nowMs) break;
        issued++;
        issue(dueMs);
      }
      if (issued < count) time.after(1, tick);
      else time.after(openMs + durationMs + drainMs - nowMs, end);
    };
    tick();
  });
}

/**
 * The same call while fewer than `openMax` wait for an answer; more fail at once. A client that falls behind an offered load
 * for a minute would hold so many calls that the generator runs out of memory.
 */
export function withOpenMax(call: Call, openMax: number): Call {
  let open = 0;
  return () => {
    if (open >= openMax) return Promise.reject(new Error(`${openMax} calls without an answer`));
    open++;
    return call().finally(() => {
      open--;
    });
  };
}

/** Offered loads one after the other without a pause: what one leaves unanswered the next one meets. */
export function openLoops(call: Call, loads: readonly OfferedLoad[], time: LoadTime = realTime): Promise<LoadResult[]> {
  let beginMs = 0;
  const running = loads.map((load) => {
    const atMs = beginMs;
    beginMs += load.durationMs;
    return new Promise<LoadResult>((resolve, reject) => {
      time.after(atMs, () => {
        openLoop(call, load, time).then(resolve, reject);
      });
    });
  });
  return Promise.all(running);
}
