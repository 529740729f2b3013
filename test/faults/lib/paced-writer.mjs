// @ts-check
/**
 * A process of its own that writes at a steady rate: `node paced-writer.mjs SPEC`, where SPEC is a `WriterSpec` as JSON.
 * Tells when each write was due, sent and acknowledged, by the clock that all processes of the machine share. Writes until
 * it is told `stop`, and ends when all is answered. Plain JavaScript, as `log-callers.mjs`.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { connect } from '@skerry/client';

/** @type {import('./paced-writers.ts').WriterSpec} */
const spec = JSON.parse(process.argv[2] ?? '{}');
const client = await connect({ endpoints: spec.endpoints, discover: false });
const loopDelay = monitorEventLoopDelay({ resolution: 1 });
/** Since the last report. @type {import('./paced-writers.ts').DoneWrite[]} */
let done = [];
/** @type {string[]} */
let failures = [];
let open = 0;
let next = 0;
let stopping = false;
const startMs = nowMs();

process.on('message', (message) => {
  if (message === 'stop') stopping = true;
});
process.on('disconnect', () => process.exit(stopping ? 0 : 1));
loopDelay.enable();
const timer = setInterval(writeDue, 2);
const reports = setInterval(report, 100);
await client.status();
process.send?.('ready');

function writeDue() {
  if (stopping) {
    if (open === 0) void end();
    return;
  }
  const due = Math.floor(((nowMs() - startMs) * spec.perSecond) / 1_000);
  // What the servers do not take in time is written late, and its delay counts from when it was due.
  while (next < due && open < spec.openMax) void write(next++);
}

/** @param {number} number */
async function write(number) {
  open++;
  const dueMs = startMs + (number * 1_000) / spec.perSecond;
  const key = `${spec.prefix}${number % spec.keyCount}`;
  const sentMs = nowMs();
  try {
    const { outcome, version } = await client.set(key, String(number));
    if (outcome === 'applied') done.push([number, dueMs, sentMs, nowMs(), version]);
    else failures.push(`${key}: ${outcome}`);
  } catch (error) {
    failures.push(`${key}: ${String(error)}`);
  }
  open--;
}

function report() {
  const loopMs = { p99: loopDelay.percentile(99) / 1e6, max: loopDelay.max / 1e6 };
  process.send?.({ done, failures, loopMs });
  done = [];
  failures = [];
}

async function end() {
  clearInterval(timer);
  clearInterval(reports);
  report();
  await client.close();
  process.disconnect();
}

function nowMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}
