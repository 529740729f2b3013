/**
 * What it costs one node to store a set, by number of keys: the layer of runs on a real LMDB folder, fed as a replica feeds it
 * (log, feed, values, digests, receipts), as fast as the disk takes it, without raft and sockets. Prints CPU microseconds
 * and bytes handed to the file system per set, and how long commits take.
 *
 *   node test/bench/storage-cost.mjs [--keys 10000,1000000] [--sets 300000] [--runs-mib 8,12,32] [--value-bytes 256]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const packages = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'packages');
const { openStorage } = await import(join(packages, 'storage-lmdb', 'dist', 'index.js'));
const { StagedStore } = await import(join(packages, 'replica', 'dist', 'staged-store.js'));

const { values: options } = parseArgs({
  options: {
    keys: { type: 'string', default: '10000,1000000' },
    sets: { type: 'string', default: '300000' },
    'runs-mib': { type: 'string', default: '8' },
    'value-bytes': { type: 'string', default: '256' },
  },
});
/** As 256 calls in flight make them: sets of a commit, and commits between two saves of the applied state. */
const setsPerCommit = 150;
const commitsPerSave = 5;
const logCommitsKept = 400;
/** What a record holds beside the value. */
const stampBytes = 44;

async function measure(keys, runsMib) {
  const folder = mkdtempSync(join(process.env['SKERRY_BENCH_FOLDER'] ?? tmpdir(), 'skerry-storage-'));
  const storage = await openStorage({ folder, events: { onFull() {}, onCorrupt() {} } });
  try {
    await fill(storage, keys);
    const load = new Load(storage, keys, runsMib * 1_024 * 1_024);
    // Until the runs are full.
    await load.run(Math.max(60_000, (runsMib * 1_024 * 1_024) / 150));
    load.commitMs.length = 0;
    const [cpuBefore, bytesBefore, startedMs] = [process.cpuUsage(), bytesHandedOver(), performance.now()];
    const sets = await load.run(Number(options.sets));
    const seconds = (performance.now() - startedMs) / 1_000;
    const { user, system } = process.cpuUsage(cpuBefore);
    const sorted = load.commitMs.toSorted((a, b) => a - b);
    const at = (share) => sorted[Math.floor(sorted.length * share)].toFixed(1);
    console.log(
      `${keys} keys, runs of ${runsMib} MiB: ${(user / sets).toFixed(1)} + ${(system / sets).toFixed(1)} µs per set, ` +
        `${((bytesHandedOver() - bytesBefore) / sets).toFixed(0)} bytes, ${(sets / seconds).toFixed(0)} sets/s, ` +
        `commits ${at(0.5)} ms, p99 ${at(0.99)} ms`,
    );
  } finally {
    await storage.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fill(storage, keys) {
  for (let from = 0; from < keys; from += 5_000)
    await storage.submit(
      Array.from({ length: Math.min(5_000, keys - from) }, (_, i) => ({ key: userKey(from + i), value: newValue() })),
    );
}

class Load {
  commitMs = [];
  #commits = 0;

  constructor(storage, keys, runsBytesMax) {
    this.storage = storage;
    this.keys = keys;
    this.store = new StagedStore(storage, runsBytesMax);
  }

  async run(sets) {
    let done = 0;
    for (; done < sets; done += setsPerCommit) await this.#commit();
    return done;
  }

  async #commit() {
    const { store, keys } = this;
    const index = ++this.#commits;
    store.put(`l/0000/${hex(index, 12)}`, new Uint8Array(setsPerCommit * 310));
    if (index > logCommitsKept) store.delete(`l/0000/${hex(index - logCommitsKept, 12)}`);
    for (let i = 0; i < setsPerCommit; i++) {
      store.defer(userKey(Math.floor(Math.random() * keys)), newValue());
      store.defer(`s/0000/0/b/${hex(Math.floor(Math.random() * 256), 2)}`, new Uint8Array(128));
    }
    store.defer(`s/0000/0/t/${hex(Math.floor((index * setsPerCommit) / 256), 12)}`, new Uint8Array(3_000));
    store.deferDirect(`s/0000/0/f/${hex(index, 12)}`, new Uint8Array(setsPerCommit * 20));
    if (index % commitsPerSave === 0) {
      store.deferDirect('s/0000/0/h', new Uint8Array(100));
      store.promoteDeferred();
    }
    const startedMs = performance.now();
    const { id, writes } = store.takeBatch();
    await this.storage.submit(writes);
    this.commitMs.push(performance.now() - startedMs);
    store.durable(id);
  }
}

function userKey(i) {
  return `s/0000/0/k/key-${String(i).padStart(8, '0')}`;
}

function newValue() {
  return new Uint8Array(Number(options['value-bytes']) + stampBytes).fill(120);
}

function hex(value, digits) {
  return value.toString(16).padStart(digits, '0');
}

/** By this process in system calls: the counter of bytes written to disk is far too high on file systems with large folios. */
function bytesHandedOver() {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
}

for (const runsMib of options['runs-mib'].split(',').map(Number))
  for (const keys of options.keys.split(',').map(Number)) await measure(keys, runsMib);
