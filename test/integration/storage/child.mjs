// @ts-check
/**
 * A process that uses a storage and may be killed: `node child.mjs <mode> <folder>`. It runs on the build, and prints
 * one line for each thing that its parent wants to know, at once.
 */
import { existsSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { openStorage } from '../../../packages/storage-lmdb/dist/index.js';

const [mode, folder = ''] = process.argv.slice(2);
/** @param {string} line */
const print = (line) => writeSync(1, `${line}\n`);
const bytes = (/** @type {unknown} */ value) => new TextEncoder().encode(String(value));
const events = { onFull: () => {}, onCorrupt: () => {} };

process.on('unhandledRejection', (reason) => print(`unhandled ${String(reason)}`));

/** Batch n: `1 + n % 7` records of its own, five records that every batch overwrites, and its number. @param {number} n */
function batchOf(n) {
  return [
    ...Array.from({ length: 1 + (n % 7) }, (_, i) => ({ key: `own/${n}/${i}`, value: bytes('x'.repeat(200)) })),
    ...Array.from({ length: 5 }, (_, i) => ({ key: `shared/${i}`, value: bytes(n) })),
    { key: 'last', value: bytes(n) },
  ];
}

/** Submits numbered batches, 32 in flight, until it is killed; prints each number that was acknowledged. */
async function submit() {
  const storage = await openStorage({ folder, events });
  const last = storage.get('last');
  let next = last === undefined ? 0 : Number(new TextDecoder().decode(last)) + 1;
  print('open');
  const pipeline = async () => {
    for (;;) {
      const n = next++;
      await storage.submit(batchOf(n));
      print(`ack ${n}`);
    }
  };
  await Promise.all(Array.from({ length: 32 }, pipeline));
}

/** Submits while every sync fails; prints what became of each. */
async function failing() {
  const storage = await openStorage({ folder, events });
  const report = (/** @type {string} */ name) => (/** @type {any} */ error) =>
    print(`${name} ${error?.name ?? 'resolved'}`);
  const submits = ['a', 'b', 'c'].map((key) =>
    storage.submit([{ key, value: bytes('lost') }]).then(report(key), report(key)),
  );
  await Promise.all(submits);
  await storage.submit([{ key: 'd', value: bytes('lost') }]).then(report('d'), report('d'));
  print(`visible ${['a', 'b', 'c', 'd'].some((key) => storage.get(key) !== undefined)}`);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  print('end');
  process.exit(0);
}

/** Submits while the sync hangs for as long as the file HANG_FILE is there. */
async function hanging() {
  const hangFile = process.env['HANG_FILE'] ?? '';
  const storage = await openStorage({ folder, events });
  await storage.submit([{ key: 'before', value: bytes(1) }]);
  writeFileSync(hangFile, '');
  let resolved = false;
  const submitMs = performance.now();
  const submits = ['x', 'y'].map((key) => storage.submit([{ key, value: bytes(1) }]).then(() => (resolved = true)));
  const blockedMs = performance.now() - submitMs;
  let turns = 0;
  while (storage.pendingForMs() < 400) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    turns += 1;
    if (resolved) break;
  }
  print(
    JSON.stringify({
      resolved,
      turns,
      blockedMs,
      pendingMs: storage.pendingForMs(),
      visible: storage.get('x') !== undefined,
      before: storage.get('before') !== undefined,
    }),
  );
  if (existsSync(hangFile)) rmSync(hangFile);
  await Promise.all(submits);
  print(
    JSON.stringify({
      resolved,
      pendingMs: storage.pendingForMs(),
      visible: storage.get('x') !== undefined && storage.get('y') !== undefined,
    }),
  );
  await storage.close();
}

const modes = { submit, failing, hanging };
await modes[/** @type {keyof typeof modes} */ (mode)]();
