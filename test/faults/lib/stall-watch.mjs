// @ts-check
import { readFileSync } from 'node:fs';
import { performance, PerformanceObserver } from 'node:perf_hooks';

const everyMs = 4;
/** Shorter ones are not told. */
const leastMs = 5;

/** Tells whenever this process was held up, but for syncs, which storage tells of. @param {(stall: import('./stalls.ts').Stall) => void} tell */
export function watchStalls(tell) {
  let lastMs = performance.now();
  let lastWaitedMs = waitedMs();
  setInterval(() => {
    const nowMs = performance.now();
    const nowWaitedMs = waitedMs();
    const lateMs = nowMs - lastMs - everyMs;
    if (lateMs >= leastMs) {
      const toMs = performance.timeOrigin + nowMs;
      const kind = nowWaitedMs - lastWaitedMs >= lateMs / 2 ? 'starved' : 'busy';
      tell({ kind, fromMs: toMs - lateMs, toMs });
    }
    lastMs = nowMs;
    lastWaitedMs = nowWaitedMs;
  }, everyMs).unref();
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      const fromMs = performance.timeOrigin + startTime;
      if (duration >= leastMs) tell({ kind: 'garbage', fromMs, toMs: fromMs + duration });
    }
  }).observe({ entryTypes: ['gc'] });
}

/** For how long the main thread has been ready and waited for a processor; Linux counts it (sched-stats.rst). */
function waitedMs() {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}
