/**
 * One side of a call alone in one process, with 256 calls in flight and no sockets: CPU microseconds per call, as the 10th
 * percentile of short windows, since a machine that does other things as well disturbs some of them. After a build:
 *
 *   node test/bench/alone.mjs client|node [localGet|get|set] [--seconds 3] [--in-flight 256]
 *
 * `client` talks to a stand-in for a node, which is part of the figure (about 1.5); `node` is one node that is a region by
 * itself, with its disk, and making the frames that ask it is part of the figure (0.5 for reads, 1 for writes). `--trace-gc` of Node shows whether
 * young collections free what they should.
 */
import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectWith } from '../../packages/client/dist/connect.js';
import { decodeClientFrame, encodeFrame, protocolVersion } from '../../packages/protocol/dist/index.js';
import { defaultLimits, defaultTiming, Replica } from '../../packages/replica/dist/index.js';
import { ClientConnection } from '../../packages/server/dist/clients/connection.js';
import { ClientGateway } from '../../packages/server/dist/clients/gateway.js';
import { defaultClientLimits } from '../../packages/server/dist/limits.js';
import { TurnLoop } from '../../packages/server/dist/loop.js';
import { cryptoRandom } from '../../packages/server/dist/random.js';
import { readClocks } from '../../packages/server/dist/replica-like.js';
import { OpenRequests } from '../../packages/server/dist/requests.js';
import { openStorage } from '../../packages/storage-lmdb/dist/index.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '3' }, 'in-flight': { type: 'string', default: '256' } },
});
const [side = 'client', operation = 'localGet'] = positionals;
const inFlight = Number(options['in-flight']);
const value = new Uint8Array(256).fill(120);
const keys = Array.from({ length: 10_000 }, (_, i) => `key-${String(i).padStart(8, '0')}`);
const welcome = {
  kind: 'welcome',
  protocolVersion,
  cluster: 'c',
  region: 'r',
  node: 'n',
  partitionCount: 1,
  nowMs: 1e12,
  limits: {
    keyBytesMax: 1_024,
    valueBytesMax: 524_288,
    txnOperationsMax: 512,
    frameBytesMax: 4_194_304,
    requestsOpenMax: 1_024,
    listLimitMax: 1_000,
  },
  members: [],
  leaders: ['n'],
  regions: [],
};
const windowMs = 100;
const warmUpMs = 2_000;
let nextKey = 1;
const round = side === 'client' ? await clientAlone() : await nodeAlone();
await during(warmUpMs, round);
const windows = [];
const endMs = performance.now() + 1_000 * Number(options.seconds);
while (performance.now() < endMs) {
  const cpu = process.cpuUsage();
  const calls = await during(windowMs, round);
  const { user, system } = process.cpuUsage(cpu);
  windows.push((user + system) / calls);
}
windows.sort((a, b) => a - b);
const low = windows[Math.floor(windows.length / 10)] ?? Number.NaN;
console.log(`${side} alone, ${operation}, ${inFlight} in flight: ${low.toFixed(1)} µs of CPU per call`);
process.exit(0);

async function during(ms, run) {
  const untilMs = performance.now() + ms;
  let calls = 0;
  while (performance.now() < untilMs) calls += await run();
  return calls;
}

function keyNext() {
  nextKey = (nextKey * 48_271 + 11) % 2_147_483_647;
  return keys[nextKey % keys.length];
}

async function clientAlone() {
  let writes = 0;
  const version = (number) => `${(1.7e12 + number).toString(16).padStart(12, '0')}00000000abcdef01`;
  const answer = { kind: 'key', valid: true, timeout: false };
  const answerTo = ({ kind, key }) =>
    kind === 'get'
      ? { ...answer, value, version: version(Number(key.slice(4))) }
      : { ...answer, value: null, version: version(++writes), outcome: 'applied' };
  const replyTo = (message) => {
    if (message.kind === 'hello') return welcome;
    if (message.kind === 'ping') return { kind: 'pong', nonce: message.nonce };
    return { kind: 'answer', requestId: message.requestId, answer: answerTo(message.operation) };
  };
  const openSocket = (_, listener) => {
    setImmediate(() => listener.onOpen());
    const send = (bytes) => {
      const frame = encodeFrame(decodeClientFrame(bytes).map(replyTo));
      setImmediate(() => listener.onFrame(frame));
    };
    return { send, bufferedBytes: () => 0, close: () => {} };
  };
  const host = {
    nowMs: () => performance.now(),
    setTimer: (delayMs, run) => {
      const timer = setTimeout(() => run(), delayMs);
      return () => clearTimeout(timer);
    },
    endOfTurn: (run) => setImmediate(() => run()),
    random: cryptoRandom(),
    openSocket,
  };
  const db = await connectWith(host, { endpoints: ['ws://stand-in'], discover: false });
  const call = {
    localGet: (key) => db.get(key, { consistent: false, as: 'bytes' }),
    get: (key) => db.get(key, { as: 'bytes' }),
    set: (key) => db.set(key, value),
  }[operation];
  let done = 0;
  const worker = async () => {
    for (;;) {
      await call(keyNext());
      done++;
    }
  };
  for (let i = 0; i < inFlight; i++) void worker();
  return async () => {
    const before = done;
    await new Promise((resolve) => setTimeout(resolve, windowMs));
    return done - before;
  };
}

async function nodeAlone() {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-alone-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const fail = (problem) => {
    throw problem;
  };
  const storage = await openStorage({ folder, events: { onFull: () => {}, onCorrupt: fail } });
  const requests = new OpenRequests({
    request: (handle, request) => loop.request(handle, request),
    cancel: (handle) => loop.cancel(handle),
    watchReady: (handle) => loop.watchReady(handle),
  });
  const gateway = new ClientGateway({
    cluster: 'c',
    region: 'r',
    node: 'n',
    partitionCount: 1,
    limits: defaultClientLimits,
    replicaLimits: defaultLimits,
    requests,
    clusterNowMs: () => loop.clusterNowMs(),
  });
  const replica = new Replica(
    {
      node: 'n',
      region: 'r',
      replica: storage.identity.replica,
      partitionCount: 1,
      bootstrap: ['n'],
      urls: { peerUrl: '', clientUrl: '', adminUrl: '' },
      regions: [],
      linkHasLog: false,
      random: cryptoRandom(),
      timing: defaultTiming,
      limits: defaultLimits,
    },
    storage,
    readClocks(),
  );
  const loop = new TurnLoop({
    replica,
    storage,
    readClocks,
    tickMs: defaultTiming.tickMs,
    send: () => {},
    answer: (answers) => {
      left -= answers.length;
      gateway.setSeen(replica.seen());
      requests.deliver(answers);
      gateway.endTurn();
      if (left === 0) resume();
    },
    link: () => {},
    onDirectory: () => {},
    onRegions: () => {},
    onFatal: fail,
  });
  loop.start();
  gateway.setSeen(replica.seen());
  gateway.start();
  while (replica.status().partitions[0].leader === null) await new Promise((resolve) => setTimeout(resolve, 10));
  const socket = Object.assign(new EventEmitter(), { readyState: 1, OPEN: 1, bufferedAmount: 0 });
  socket.send = (_, taken) => process.nextTick(() => taken?.());
  socket.ping = () => {};
  new ClientConnection(socket, gateway);
  const push = (bytes) => socket.emit('message', bytes, true);
  push(encodeFrame([{ kind: 'hello', protocolVersion, cluster: null }]));
  const client = Math.floor(loop.clusterNowMs()).toString(16).padStart(12, '0') + 'ab'.repeat(10);
  let requestId = 0;
  let sequence = 0;
  const requestOf = (kind, key) => {
    const request = { kind: 'request', requestId: ++requestId, timeoutMs: null };
    if (kind !== 'set') return { ...request, operation: { kind: 'get', key, consistent: kind === 'get' } };
    const id = { client, sequence: ++sequence, answeredBelow: Math.max(1, sequence - inFlight), retry: false };
    return { ...request, operation: { kind: 'set', key, value, consistent: true }, id };
  };
  let left = 0;
  let resume = () => {};
  const ask = async (kind, asked) => {
    const frame = encodeFrame(asked.map((key) => requestOf(kind, key)));
    left = asked.length;
    const answered = new Promise((resolve) => {
      resume = resolve;
    });
    push(frame);
    await answered;
    return asked.length;
  };
  for (let from = 0; from < keys.length; from += inFlight) await ask('set', keys.slice(from, from + inFlight));
  return () => ask(operation, Array.from({ length: inFlight }, keyNext));
}
