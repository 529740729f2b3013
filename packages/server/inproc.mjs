// 3 replicas in one process with LMDB, frames encoded; rounds of N requests at a follower. CPU us per op.
import { mkdtempSync, rmSync } from 'node:fs';
import { Replica, defaultLimits, defaultTiming, decodePeerFrame, encodePeerFrame } from '@skerry/replica';
import { openStorage } from '@skerry/storage-lmdb';
import { encodeFrame, decodeClientFrame, decodeServerFrame } from '@skerry/protocol';
import { readClocks } from './dist/replica-like.js';
const N = Number(process.argv[2] ?? 256), ROUNDS = Number(process.argv[3] ?? 400), KEYS = Number(process.argv[4] ?? 10000), AT = process.argv[5] ?? 'follower', OP = process.argv[6] ?? 'set';
const folder = mkdtempSync('/tmp/speed-tmp/i-');
const names = ['n1', 'n2', 'n3'];
const nodes = new Map();
let seed = 1;
const random = { uint32: () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return seed; } };
for (const [i, node] of names.entries()) {
  const storage = await openStorage({ folder: `${folder}/${node}`, events: { onFull() {}, onCorrupt(p) { throw p; } }, verify: { budgetMs: 0 } });
  const replica = new Replica({ node, region: 'r', replica: storage.identity.replica, partitionCount: 1, bootstrap: names, urls: { clientUrl: 'ws://a:1', peerUrl: 'ws://a:1', adminUrl: 'http://a:1' }, regions: [], linkHasLog: false, random, timing: defaultTiming, limits: defaultLimits }, storage, readClocks());
  nodes.set(node, { node, storage, replica, open: 0 });
}
for (const a of nodes.values()) for (const b of names) if (b !== a.node) a.replica.peerUp(b, readClocks());
const answers = [];
let busy = 0, syncs = 0, wireBytes = 0;
function flush(n) {
  const e = n.replica.flush(readClocks());
  if (e === null) return;
  if (e.batch !== null) { n.open++; syncs++; const id = e.batch.id; n.storage.submit(e.batch.writes).then(() => { n.open--; n.replica.durable(id, readClocks()); schedule(n); }); }
  for (const [to, list] of e.messages) { const f = encodePeerFrame(list); wireBytes += f.length; setImmediate(() => { const t = nodes.get(to); for (const m of decodePeerFrame(f)) t.replica.receive(n.node, m, readClocks()); schedule(t); }); }
  if (e.answers.length > 0) { const f = encodeFrame(e.answers.map(({ handle, answer }) => ({ kind: 'answer', requestId: handle, answer }))); onAnswers(f); }
}
const planned = new Set();
function schedule(n) { if (planned.has(n)) return; planned.add(n); setImmediate(() => { planned.delete(n); flush(n); }); }
setInterval(() => { for (const n of nodes.values()) { n.replica.tick(readClocks()); if (!planned.has(n)) flush(n); } }, defaultTiming.tickMs);
let left = 0, done = null, bad = 0;
function onAnswers(f) { for (const m of decodeServerFrame(f)) { left--; if (m.answer.kind === 'error' || m.answer.timeout) { bad++; if (bad < 3) console.log(m.answer); } } if (left === 0) done?.(); }
await new Promise((r) => setTimeout(r, 1500));
const leader = [...nodes.values()].find((n) => n.replica.status().partitions[0].leader === n.node);
const target = AT === 'leader' ? leader : [...nodes.values()].find((n) => n !== leader);
const client = Math.floor(leader.replica.clusterNowMs(readClocks())).toString(16).padStart(12, '0') + '0123456789abcdef0123';
const value = new Uint8Array(256).fill(7);
let seq = 0, handle = 0;
async function round() {
  const messages = [];
  const base = seq + 1;
  for (let i = 0; i < N; i++) {
    const key = `key-${String(random.uint32() % KEYS).padStart(8, '0')}`;
    const id = { client, sequence: ++seq, answeredBelow: base, retry: false };
    const operation = OP === 'set' ? { kind: 'set', key, value, consistent: true } : OP === 'localSet' ? { kind: 'set', key, value, consistent: false } : { kind: 'get', key, consistent: OP === 'get' };
    messages.push({ kind: 'request', requestId: ++handle % 0xffffffff, operation, timeoutMs: null, ...(operation.kind === 'set' ? { id } : {}) });
  }
  left = N;
  const p = new Promise((r) => { done = r; });
  for (const m of decodeClientFrame(encodeFrame(messages))) target.replica.request(m.requestId, m, readClocks());
  schedule(target);
  await p;
}
if (OP.toLowerCase().includes('get')) { const k = OP; for (let i = 0; i < 0; i++); }
for (let i = 0; i < ROUNDS / 2; i++) await round();
const c0 = process.cpuUsage(), t0 = performance.now(), s0 = syncs, w0 = wireBytes;
const loop0 = process.resourceUsage ? null : null;
for (let i = 0; i < ROUNDS; i++) await round();
const c = process.cpuUsage(c0), t = performance.now() - t0, ops = N * ROUNDS;
console.log(`${OP} ${AT} ${KEYS} keys: cpu ${(c.user / ops).toFixed(1)} + ${(c.system / ops).toFixed(1)} us/op, wall ${(t * 1000 / ops).toFixed(1)} us/op, ${((syncs - s0) / ROUNDS).toFixed(1)} syncs/round, ${((wireBytes - w0) / ops).toFixed(0)} B/op peers, bad ${bad}, rss ${(process.memoryUsage().rss >> 20)} MiB`);
process.exit(0);
