// @ts-check
/**
 * Prints how many records per second a storage makes durable, how fast it reads, and how long it takes to open.
 * Runs on the build: `npx tsc -b packages/storage-lmdb && node packages/storage-lmdb/bench.mjs [folder] [records]`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStorage, verifyFolder } from '@skerry/storage-lmdb';

const parent = process.argv[2] ?? tmpdir();
const recordCount = Number(process.argv[3] ?? 1_000_000);
const events = { onFull: () => {}, onCorrupt: () => {} };
const valueBytes = 256;

/** @param {string} label @param {{ per: number, inFlight: number, count: number }} load @param {import('@skerry/storage-lmdb').LmdbStorage} storage */
async function writes(label, { per, inFlight, count }, storage) {
  const latencies = [];
  const before = await storage.stats();
  const startedMs = performance.now();
  let next = 0;
  const pipeline = async () => {
    while (next < count) {
      const from = next;
      next += per;
      const batch = Array.from({ length: per }, (_, i) => ({
        key: `${label}/${String(from + i).padStart(12, '0')}`,
        value: new Uint8Array(valueBytes).fill(i),
      }));
      const submittedMs = performance.now();
      await storage.submit(batch);
      latencies.push(performance.now() - submittedMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, pipeline));
  const seconds = (performance.now() - startedMs) / 1_000;
  const { syncCount } = await storage.stats();
  latencies.sort((a, b) => a - b);
  console.log(
    `${label.padEnd(12)} ${String(per).padStart(4)} records a batch, ${String(inFlight).padStart(3)} in flight: ` +
      `${Math.round(next / seconds).toLocaleString('en')} records/s, ${Math.round((syncCount - before.syncCount) / seconds)} syncs/s, ` +
      `median ${latencies[latencies.length >> 1]?.toFixed(2)} ms, 99% ${latencies[Math.floor(latencies.length * 0.99)]?.toFixed(2)} ms`,
  );
}

const folder = mkdtempSync(join(parent, 'skerry-bench-'));
try {
  let storage = await openStorage({ folder, events, verify: { budgetMs: 0 } });
  await writes('warm-up', { per: 64, inFlight: 8, count: 50_000 }, storage);
  await writes('single', { per: 1, inFlight: 1, count: 2_000 }, storage);
  await writes('one-64', { per: 64, inFlight: 1, count: 60_000 }, storage);
  await writes('pipeline-64', { per: 64, inFlight: 8, count: 300_000 }, storage);
  await writes('pipeline-256', { per: 256, inFlight: 8, count: 600_000 }, storage);
  await writes('load', { per: 1_024, inFlight: 4, count: recordCount }, storage);
  const readStartedMs = performance.now();
  for (let i = 0; i < 200_000; i++) storage.get(`load/${String((i * 7_919) % recordCount).padStart(12, '0')}`);
  console.log(
    `get: ${Math.round(200_000 / ((performance.now() - readStartedMs) / 1_000)).toLocaleString('en')} records/s`,
  );
  const scrubStartedMs = performance.now();
  const { recordsChecked } = storage.scrub({ budgetMs: 1_000 });
  console.log(
    `scrub: ${Math.round(recordsChecked / ((performance.now() - scrubStartedMs) / 1_000)).toLocaleString('en')} records/s`,
  );
  const { recordCount: stored, fileBytes } = await storage.stats();
  await storage.close();
  const openStartedMs = performance.now();
  storage = await openStorage({ folder, events });
  console.log(
    `open: ${Math.round(performance.now() - openStartedMs)} ms with ${stored.toLocaleString('en')} records, ${Math.round(fileBytes / 2 ** 20)} MiB`,
  );
  await storage.close();
  const { durationMs, recordsChecked: all } = await verifyFolder(folder, { budgetMs: 60_000 });
  console.log(`full check: ${Math.round(durationMs)} ms for ${all.toLocaleString('en')} records`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
