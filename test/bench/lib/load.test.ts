import { expect, test } from 'vitest';
import { Histogram } from './histogram.ts';
import { closedLoop, openLoop, openLoops, withOpenMax, type LoadTime } from './load.ts';

/** Time that passes when nothing else is left to do. */
class VirtualTime implements LoadTime {
  #nowMs = 0;
  #timers: { atMs: number; run: () => void }[] = [];
  readonly now = (): number => this.#nowMs;
  readonly after = (ms: number, run: () => void): void => {
    this.#timers.push({ atMs: this.#nowMs + ms, run });
  };

  /** A call that is answered after `ms`, or fails. */
  readonly answer = (ms: number, error: Error | null = null): Promise<void> =>
    new Promise((resolve, reject) => {
      this.after(ms, () => {
        if (error === null) resolve();
        else reject(error);
      });
    });

  async finish<T>(running: Promise<T>): Promise<T> {
    let isDone = false;
    const done = running.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      // Everything that follows from the last timer happens before the next one.
      for (let i = 0; i < 20; i++) await Promise.resolve();
      this.#timers.sort((a, b) => a.atMs - b.atMs);
      const next = this.#timers.shift();
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    return done;
  }
}

test('a closed loop keeps so many calls open, and counts those that end in its window', async () => {
  const time = new VirtualTime();
  let open = 0;
  let openMax = 0;
  const call = async (): Promise<void> => {
    openMax = Math.max(openMax, ++open);
    await time.answer(10);
    open--;
  };
  const result = await time.finish(closedLoop(call, { inFlight: 4, warmUpMs: 995, measureMs: 2_000 }, time));
  expect(openMax).toBe(4);
  expect(result.completed).toBe(4 * 200);
  expect(result.perSecond).toEqual([400, 400]);
  expect(Histogram.from(result.latency).quantileMs(0.5)).toBeCloseTo(10, 0);
});

test('what fails is counted as failed and named, and slow starts before the window do not count', async () => {
  const time = new VirtualTime();
  let calls = 0;
  const call = (): Promise<void> => {
    calls++;
    if (calls === 1) return time.answer(500);
    return time.answer(10, calls % 10 === 0 ? new Error('refused') : null);
  };
  const result = await time.finish(closedLoop(call, { inFlight: 1, warmUpMs: 505, measureMs: 1_000 }, time));
  expect(result.completed + result.failed).toBe(100);
  expect(result.failed).toBe(10);
  expect(result.firstError).toBe('refused');
  expect(Histogram.from(result.latency).maxMs).toBeLessThan(11);
});

test('the edges of the window come once each, before the result, though timers are late', async () => {
  const time = new VirtualTime();
  const late: LoadTime = {
    now: time.now,
    after: (ms, run) => {
      time.after(ms + 5_000, run);
    },
  };
  const edges: string[] = [];
  const onEdge = (edge: string): void => {
    edges.push(`${edge} ${time.now()}`);
  };
  const load = { inFlight: 2, warmUpMs: 100, measureMs: 200, onEdge };
  await time.finish(closedLoop(() => time.answer(10), load, late));
  expect(edges).toEqual(['open 100', 'close 300']);
  await time.finish(
    new Promise<void>((resolve) => {
      time.after(10_000, resolve);
    }),
  );
  expect(edges).toHaveLength(2);
});

test('an open loop makes its calls when they are due, however slow the answers are', async () => {
  const time = new VirtualTime();
  const dueAt: number[] = [];
  const call = (): Promise<void> => {
    dueAt.push(time.now());
    return time.answer(700);
  };
  const load = { callsPerSecond: 100, durationMs: 1_000, drainMs: 5_000 };
  const result = await time.finish(openLoop(call, load, time));
  expect(dueAt).toHaveLength(100);
  expect(dueAt.at(-1)).toBeCloseTo(990, 0);
  expect(result.completed).toBe(100);
  expect(Histogram.from(result.latency).meanMs).toBeCloseTo(700, 0);
});

test('a stall counts for every call that was due in it, not only for the one that met it', async () => {
  const time = new VirtualTime();
  const stallEndMs = 600;
  // Nothing is answered before 600 ms; after that at once. A generator that waits would see one slow call.
  const call = (): Promise<void> => time.answer(Math.max(1, stallEndMs - time.now()));
  const load = { callsPerSecond: 1_000, durationMs: 1_000, drainMs: 1_000 };
  const latency = Histogram.from((await time.finish(openLoop(call, load, time))).latency);
  expect(latency.quantileMs(0.5)).toBeGreaterThan(80);
  expect(latency.quantileMs(0.9)).toBeGreaterThan(450);
});

test('a generator that is held up makes up for it and measures from when calls were due', async () => {
  const time = new VirtualTime();
  let delayed = false;
  const slow: LoadTime = {
    now: time.now,
    after: (ms, run) => {
      // One tick comes 300 ms late, as if the process had been collecting garbage.
      const extraMs = !delayed && time.now() > 200 ? 300 : 0;
      delayed ||= extraMs > 0;
      time.after(ms + extraMs, run);
    },
  };
  const load = { callsPerSecond: 100, durationMs: 1_000, drainMs: 1_000 };
  const result = await time.finish(openLoop(() => time.answer(1), load, slow));
  expect(result.completed).toBe(100);
  expect(Histogram.from(result.latency).maxMs).toBeGreaterThan(280);
  expect(Histogram.from(result.lateness).maxMs).toBeGreaterThan(280);
});

test('calls that are not answered in time are failures', async () => {
  const time = new VirtualTime();
  let calls = 0;
  const call = (): Promise<void> => time.answer(calls++ % 2 === 0 ? 1 : 60_000);
  const load = { callsPerSecond: 10, durationMs: 1_000, drainMs: 2_000 };
  const result = await time.finish(openLoop(call, load, time));
  expect(result).toMatchObject({ completed: 5, failed: 5, unanswered: 5 });
  expect(result.firstError).toMatch(/no answer within 2000 ms/);
});

test('a call beyond those that may be open fails at once, and one fits in again when another is answered', async () => {
  const time = new VirtualTime();
  const call = withOpenMax(() => time.answer(250), 2);
  const load = { callsPerSecond: 10, durationMs: 1_000, drainMs: 2_000 };
  const result = await time.finish(openLoop(call, load, time));
  // Due at 0, 100, …: those at 200, 500 and 800 meet two that are open.
  expect(result).toMatchObject({ completed: 7, failed: 3, unanswered: 0 });
  expect(result.firstError).toBe('2 calls without an answer');
});

test('an answer after the wait is a failure, though the end of the wait comes late as well', async () => {
  const time = new VirtualTime();
  const late: LoadTime = {
    now: time.now,
    after: (ms, run) => {
      time.after(ms > 1 ? ms + 5_000 : ms, run);
    },
  };
  const load = { callsPerSecond: 10, durationMs: 1_000, drainMs: 1_000 };
  let calls = 0;
  const call = (): Promise<void> => time.answer(calls++ === 0 ? 4_000 : 10);
  const result = await time.finish(openLoop(call, load, late));
  expect(result).toMatchObject({ completed: 9, failed: 1, unanswered: 1 });
});

test('loads follow each other on time, though answers to the one before are still owed', async () => {
  const time = new VirtualTime();
  const madeInSecond = [0, 0, 0];
  const call = (): Promise<void> => {
    const second = Math.floor(time.now() / 1_000);
    madeInSecond[second] = (madeInSecond[second] ?? 0) + 1;
    return time.answer(1_500);
  };
  const step = { durationMs: 1_000, drainMs: 3_000 };
  const loads = [100, 200, 400].map((callsPerSecond) => ({ callsPerSecond, ...step }));
  const results = await time.finish(openLoops(call, loads, time));
  expect(madeInSecond).toEqual([100, 200, 400]);
  expect(results.map(({ completed }) => completed)).toEqual([100, 200, 400]);
  // Answered one and a half seconds later: in the second and third second since each load began.
  expect(results[0]?.perSecond).toEqual([0, 50, 50, 0]);
});

test('each second of an offered load has its own percentile', async () => {
  const time = new VirtualTime();
  const call = (): Promise<void> => time.answer(time.now() < 1_000 ? 10 : 80);
  const load = { callsPerSecond: 100, durationMs: 2_000, drainMs: 1_000 };
  const { p99MsPerSecond } = await time.finish(openLoop(call, load, time));
  expect(p99MsPerSecond).toHaveLength(2);
  expect(p99MsPerSecond[0]).toBeCloseTo(10, -1);
  expect(p99MsPerSecond[1]).toBeGreaterThan(79);
});
