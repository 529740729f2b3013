import { InvariantError, nodeId, partitionId, regionId, replicaId } from '@skerry/base';
import { StorageCorruptError, StorageFailedError, type PeerMessage, type StorageWrite } from '@skerry/replica';
import { afterEach, expect, test } from 'vitest';
import type { Fatal } from './fatal.ts';
import { TurnLoop } from './loop.ts';
import { FakeReplica } from './testing/fake-replica.ts';
import { until } from './testing/until.ts';

const b = nodeId('b');
const message = { kind: 'any' } as unknown as PeerMessage;
const status = { operation: { kind: 'status' }, timeoutMs: null } as const;
const loops: TurnLoop[] = [];
afterEach(() => loops.splice(0).forEach((loop) => loop.stop()));

interface Submitted {
  readonly writes: readonly StorageWrite[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function setUp({ tickMs = 1_000_000 } = {}) {
  const replica = new FakeReplica();
  const submitted: Submitted[] = [];
  const carriedOut: string[] = [];
  const fatals: Fatal[] = [];
  let clockReads = 0;
  const loop = new TurnLoop({
    replica,
    tickMs,
    storage: {
      submit: (writes) =>
        new Promise((resolve, reject) => {
          carriedOut.push('submit');
          submitted.push({ writes, resolve, reject });
        }),
    },
    readClocks: () => ({ wallMs: ++clockReads, monoMs: clockReads }),
    send: (to, messages) => carriedOut.push(`send ${to} ${messages.length}`),
    answer: (answers) => carriedOut.push(`answer ${answers.map(({ handle }) => handle).join(' ')}`),
    onDirectory: (entries) => carriedOut.push(`directory ${entries.length}`),
    link: ({ frames, batches }) => carriedOut.push(`link ${frames.length} ${batches.length}`),
    onRegions: (entries) => carriedOut.push(`regions ${entries.length}`),
    onFatal: (fatal) => fatals.push(fatal),
  });
  loops.push(loop);
  return { replica, loop, submitted, carriedOut, fatals, clockReads: () => clockReads };
}

/** One whole turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test('all events of a turn share one flush and one reading of the clocks', async () => {
  const { replica, loop, carriedOut, clockReads } = setUp();
  replica.onRequest = () => ({ kind: 'done' });
  loop.request(1, status);
  loop.receive(b, [message, message]);
  loop.request(2, status);
  replica.sendTo(b, message);
  replica.sendTo(b, message);
  expect(replica.flushes).toBe(0);
  await turn();
  expect(replica.flushes).toBe(1);
  expect(clockReads()).toBe(1);
  expect(carriedOut).toEqual(['send b 2', 'answer 1 2']);
});

test('the batch goes to the disk before anything is sent, and durable is reported in a later turn', async () => {
  const { replica, loop, carriedOut, submitted } = setUp();
  const id = replica.write([{ key: 'k', value: null }]);
  replica.sendTo(b, message);
  replica.announce([]);
  replica.announceRegions([]);
  replica.carry({ frames: [{ region: regionId('r2'), frame: Uint8Array.of(1) }], batches: [], subscriptions: [] });
  loop.request(1, status);
  await turn();
  expect(carriedOut).toEqual(['submit', 'send b 1', 'directory 0', 'regions 0', 'link 1 0']);
  expect(replica.of('durable')).toEqual([]);
  replica.answer(1, { kind: 'done' });
  submitted[0]?.resolve();
  await turn();
  expect(replica.of('durable')).toEqual([{ kind: 'durable', id }]);
  expect(carriedOut.at(-1)).toBe('answer 1');
});

test('an idle tick makes one tick and one flush and schedules nothing', async () => {
  const { replica, loop } = setUp({ tickMs: 2 });
  loop.start();
  await until('five ticks', () => replica.ticks >= 5);
  loop.stop();
  // The start itself flushes once, for what the replica has to say before any event.
  expect(replica.flushes - replica.ticks).toBeLessThanOrEqual(1);
  expect(replica.events).toEqual([]);
});

test('after a pause of the process there is one tick, not one per missed period', async () => {
  const { replica, loop } = setUp({ tickMs: 10 });
  loop.start();
  await until('a tick', () => replica.ticks >= 1);
  const before = replica.ticks;
  const end = performance.now() + 200;
  while (performance.now() < end);
  await turn();
  expect(replica.ticks - before).toBeLessThanOrEqual(2);
});

test.each([
  ['a failed sync', new StorageFailedError('EIO'), 'storageFailed', 74],
  ['a corrupt record', new StorageCorruptError('checksum', 'log/3'), 'storageCorrupt', 65],
  ['a broken invariant', new InvariantError('term went back'), 'invariant', 70],
] as const)('%s stops the node: nothing is answered any more', async (_, failure, kind, exitCode) => {
  const { replica, loop, submitted, carriedOut, fatals } = setUp();
  replica.write([{ key: 'k', value: null }]);
  loop.request(1, status);
  await turn();
  submitted[0]?.reject(failure);
  await turn();
  expect(fatals).toMatchObject([{ kind, exitCode }]);
  expect(fatals[0]?.message).toContain(failure.message);
  const before = carriedOut.length;
  replica.answer(1, { kind: 'done' });
  loop.request(2, status);
  loop.peerUp(b);
  await turn();
  expect(carriedOut.length).toBe(before);
  expect(replica.of('durable')).toEqual([]);
  expect(replica.of('peerUp')).toEqual([]);
});

test('what the replica throws stops the loop, and what the same turn came to is not carried out', async () => {
  const { replica, loop, carriedOut, fatals } = setUp();
  replica.answer(1, { kind: 'done' });
  loop.request(1, status);
  replica.failure = new InvariantError('two leaders');
  loop.receive(b, [message]);
  await turn();
  expect(fatals).toHaveLength(1);
  expect(carriedOut).toEqual([]);
});

test('a full disk is passed on', () => {
  const { replica, loop } = setUp();
  loop.setStorageFull(true);
  loop.setStorageFull(false);
  expect(replica.of('storageFull').map(({ full }) => full)).toEqual([true, false]);
});

test('what the link tells reaches the replica, in one turn with everything else', async () => {
  const { replica, loop } = setUp();
  const region = regionId('region-2');
  const [partition, origin] = [partitionId(0), replicaId(7)];
  const batch = { partition, origin, region, first: 1, last: 2, bytes: Uint8Array.of(1) };
  loop.linkEvents.regionUp(region);
  loop.linkEvents.receive(region, Uint8Array.of(5));
  loop.linkEvents.entries(batch);
  loop.linkEvents.published(partition, origin, 9);
  loop.linkEvents.regionDown(region);
  await turn();
  expect(replica.flushes).toBe(1);
  expect(replica.events).toEqual([
    { kind: 'regionUp', region },
    { kind: 'receiveFrame', from: region, frame: Uint8Array.of(5) },
    { kind: 'receiveEntries', batch },
    { kind: 'published', partition, origin, last: 9 },
    { kind: 'regionDown', region },
  ]);
});
