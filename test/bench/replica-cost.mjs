/**
 * CPU microseconds that a quorum-less write costs each of three replicas, without sockets and disks: in one process, under
 * virtual time, timed by the processor time of the process. Says less than `budget.mjs`, and the same on a busy machine.
 *
 *   node test/bench/replica-cost.mjs [--rounds 150] [--batch 256] [--value-bytes 256] [--keys 10000]
 *
 * accept: a node that is cut off acknowledges. promote: it hands over what it holds. flow: both, as long as there is a quorum.
 */
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const packages = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'packages');
const { clientId, nodeId, regionId, replicaId, SeededRandom } = await import(
  join(packages, 'base', 'dist', 'index.js')
);
const { decodePeerFrame, defaultLimits, defaultTiming, encodePeerFrame, MemoryStorage, Replica } = await import(
  join(packages, 'replica', 'dist', 'index.js')
);

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '150' },
    batch: { type: 'string', default: '256' },
    'value-bytes': { type: 'string', default: '256' },
    keys: { type: 'string', default: '10000' },
  },
});
const rounds = Number(options.rounds);
const batch = Number(options.batch);
const keys = Array.from({ length: Number(options.keys) }, (_, i) => `key-${String(i).padStart(8, '0')}`);
const value = new Uint8Array(Number(options['value-bytes'])).fill(120);
const client = clientId((2 ** 40).toString(16).padStart(12, '0') + '0'.repeat(20));

let nowMs = 0;
let sequence = 0;
let pick = 1;
let answered = 0;
/** No frame comes from or goes to this one. */
let cutOff = null;
const names = ['n1', 'n2', 'n3'].map(nodeId);
const machines = startMachines();
const leader = awaitLeader();
const asked = machines.find((machine) => machine !== leader);
const others = machines.filter((machine) => machine !== asked);

for (let pass = 1; pass <= 3; pass++) {
  console.log(`pass ${pass}`);
  isolate(true);
  measure('accept', () => writeInRounds(false));
  const held = pendingCount();
  isolate(false);
  measure('promote', () => {
    while (pendingCount() > 0) step(true);
    return held;
  });
  measure('flow', () => writeInRounds(true));
}

/** `run` answers for how many writes the time went. */
function measure(what, run) {
  for (const machine of machines) machine.cpuMicros = 0;
  const count = run();
  const costs = machines.map((machine) => {
    const role = machine === leader ? 'leader' : machine === asked ? 'asked' : 'other';
    return `${role} ${(machine.cpuMicros / count).toFixed(1)}`;
  });
  console.log(`  ${what.padEnd(8)} ${costs.join(', ')} µs per write`);
}

function writeInRounds(ticks) {
  answered = 0;
  for (let round = 0; round < rounds; round++) {
    timed(asked, ask);
    step(ticks);
  }
  return answered;
}

function ask() {
  for (let i = 0; i < batch; i++) {
    pick = (pick * 48_271 + 11) % 2_147_483_647;
    sequence++;
    const operation = { kind: 'set', key: keys[pick % keys.length], value, consistent: false };
    const id = { client, sequence, answeredBelow: Math.max(1, sequence - batch), retry: false };
    asked.replica.request(sequence, { operation, id, timeoutMs: null }, now());
  }
}

function pendingCount() {
  return asked.replica.status().partitions[0].pending;
}

function isolate(isCut) {
  cutOff = isCut ? asked.name : null;
  for (const { name, replica } of others) {
    if (isCut) {
      replica.peerDown(asked.name, false, now());
      asked.replica.peerDown(name, false, now());
    } else {
      replica.peerUp(asked.name, now());
      asked.replica.peerUp(name, now());
    }
  }
  // Without contact for so long the node knows no leader.
  for (let i = 0; isCut && i < 400; i++) step(true);
}

function startMachines() {
  const random = new SeededRandom(1);
  const started = names.map((name, i) => {
    const storage = new MemoryStorage();
    const urls = { peerUrl: 'ws://x/peer', clientUrl: 'ws://x/client', adminUrl: 'http://x/admin' };
    const replica = new Replica(
      {
        node: name,
        region: regionId('r'),
        regions: [],
        linkHasLog: false,
        replica: replicaId(i + 1),
        partitionCount: 1,
        bootstrap: names,
        urls,
        random: random.fork(),
        timing: defaultTiming,
        limits: defaultLimits,
      },
      storage,
      now(),
    );
    return { name, storage, replica, frames: [], batches: [], cpuMicros: 0 };
  });
  for (const { replica } of started)
    for (const name of names) if (replica !== started[names.indexOf(name)].replica) replica.peerUp(name, now());
  return started;
}

function awaitLeader() {
  const find = () => machines.find(({ replica }) => replica.status().partitions[0].role === 'leader');
  while (find() === undefined) step(true);
  for (let i = 0; i < 300; i++) step(true);
  return find();
}

/** A millisecond: frames arrive in the next, syncs end in the same. */
function step(ticks) {
  nowMs++;
  for (const machine of machines) {
    const { replica, storage } = machine;
    if (ticks && nowMs % defaultTiming.tickMs === 0) timed(machine, () => replica.tick(now()));
    turn(machine);
    const { batches } = machine;
    machine.batches = [];
    for (const id of batches) {
      storage.flushOne();
      timed(machine, () => replica.durable(id, now()));
    }
    turn(machine);
  }
}

function turn(machine) {
  const { name, replica, storage, frames } = machine;
  machine.frames = [];
  const effects = timed(machine, () => {
    for (const { from, bytes } of frames)
      for (const message of decodePeerFrame(bytes)) replica.receive(from, message, now());
    return replica.flush(now());
  });
  if (effects === null) return;
  if (effects.batch !== null) {
    storage.enqueue(effects.batch.writes);
    machine.batches.push(effects.batch.id);
  }
  timed(machine, () => {
    for (const [to, messages] of effects.messages) {
      if (name === cutOff || to === cutOff) continue;
      machines[names.indexOf(to)].frames.push({ from: name, bytes: encodePeerFrame(messages) });
    }
  });
  answered += effects.answers.length;
}

function timed(machine, run) {
  const before = process.cpuUsage();
  const result = run();
  const { user, system } = process.cpuUsage(before);
  machine.cpuMicros += user + system;
  return result;
}

function now() {
  return { monoMs: nowMs, wallMs: 1_700_000_000_000 + nowMs };
}
