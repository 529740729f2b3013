// @ts-check
/**
 * A process of its own that watches a prefix at several nodes: `node view-watcher.mjs SPEC`, where SPEC is a `WatcherSpec`
 * as JSON. Tells when each change was visible there, by the clock that all processes of the machine share. Ends when it is
 * told `stop`. Plain JavaScript, as `log-callers.mjs`.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { connect } from '@skerry/client';

/** @type {import('./paced-writers.ts').WatcherSpec} */
const spec = JSON.parse(process.argv[2] ?? '{}');
const loopDelay = monitorEventLoopDelay({ resolution: 1 });
const stopping = new AbortController();
/** Since the last report. @type {import('./paced-writers.ts').SeenChange[]} */
let seen = [];

process.on('message', (message) => {
  if (message !== 'stop') return;
  stopping.abort();
  report();
  process.disconnect();
});
process.on('disconnect', () => process.exit(stopping.signal.aborted ? 0 : 1));
const ready = spec.urls.map((url, index) => watch(url, index));
await Promise.all(ready);
loopDelay.enable();
setInterval(report, 100);
process.send?.('ready');

/** Resolves when everything that is written from now on will be seen. @param {string} url @param {number} index */
async function watch(url, index) {
  const client = await connect({ endpoints: [url], discover: false });
  const batches = client.watch(spec.prefix, { prefix: true, signal: stopping.signal });
  await batches.next();
  void (async () => {
    for await (const { events } of batches) {
      const atMs = Number(process.hrtime.bigint()) / 1e6;
      for (const { key, version } of events) seen.push([index, key, version, atMs]);
    }
  })().catch((error) => {
    if (!stopping.signal.aborted) process.send?.({ failure: `the watch at ${url} ended: ${String(error)}` });
  });
}

function report() {
  process.send?.({ seen, loopMs: { p99: loopDelay.percentile(99) / 1e6, max: loopDelay.max / 1e6 } });
  seen = [];
}
