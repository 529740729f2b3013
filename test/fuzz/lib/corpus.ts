import { fromHex, utf8Encode } from '../../../packages/base/src/index.ts';
import { Replica } from '../../../packages/replica/src/replica.ts';
import { encodePeerFrame } from '../../../packages/replica/src/peer-message.ts';
import type { Operation, ValueChange } from '../../../packages/replica/src/requests.ts';
import { get, set } from '../../../packages/replica/src/testing/world.ts';
import { RegionsWorld } from '../../../packages/replica/src/testing/regions-world.ts';

/** Bytes that replicas really exchanged and kept. */
export interface Corpus {
  readonly peerFrames: readonly Uint8Array[];
  readonly linkFrames: readonly Uint8Array[];
  readonly entryLists: readonly Uint8Array[];
  /** Stored records by key. */
  readonly records: ReadonlyMap<string, Uint8Array>;
}

const perKindMax = 12;

/** Keeps a few of each kind: a heartbeat more teaches nothing. */
class Samples {
  readonly #kept: Map<string, Uint8Array[]> = new Map();

  add(kind: string, bytes: Uint8Array): void {
    const kept = this.#kept.get(kind) ?? [];
    this.#kept.set(kind, kept);
    if (kept.length < perKindMax && bytes.length < 20_000) kept.push(bytes.slice());
    else if (bytes.length < 20_000) kept[bytes.length % perKindMax] = bytes.slice();
  }

  get all(): Uint8Array[] {
    return [...this.#kept.values()].flat();
  }
}

/** Lets two regions do all that they can, and takes down what goes over their wires and onto their disks. */
export function harvest(): Corpus {
  const [peers, links, lists] = [new Samples(), new Samples(), new Samples()];
  const { receive, receiveFrame, receiveEntries } = Replica.prototype;
  Object.assign(Replica.prototype, {
    receive(this: Replica, ...given: Parameters<typeof receive>): void {
      const [, message] = given;
      peers.add(message.kind === 'raft' ? `raft ${message.message.kind}` : message.kind, encodePeerFrame([message]));
      receive.apply(this, given);
    },
    receiveFrame(this: Replica, ...given: Parameters<typeof receiveFrame>): void {
      links.add(`${given[1][2]} ${given[1][3]}`, given[1]);
      receiveFrame.apply(this, given);
    },
    receiveEntries(this: Replica, ...given: Parameters<typeof receiveEntries>): void {
      lists.add('entries', given[0].bytes);
      receiveEntries.apply(this, given);
    },
  });
  try {
    const records = new Map<string, Uint8Array>();
    for (const linkHasLog of [false, true]) {
      for (const [key, value] of runRegions(linkHasLog)) records.set(key, value);
    }
    return { peerFrames: peers.all, linkFrames: links.all, entryLists: lists.all, records };
  } finally {
    Object.assign(Replica.prototype, { receive, receiveFrame, receiveEntries });
  }
}

const bytes = (text: string): Uint8Array => utf8Encode(text);
const update = (key: string, change: ValueChange, consistent = true): Operation => ({
  kind: 'update',
  key,
  change,
  consistent,
});

function runRegions(linkHasLog: boolean): Map<string, Uint8Array> {
  const world = new RegionsWorld({
    nodes: [3, 1],
    linkHasLog,
    limits: { logKeepEntries: 5, snapshotChunkBytes: 200, regionLogBytesMax: 3_000 },
  });
  world.awaitLeaders();
  const ask = (operation: Operation, region = 'r1'): unknown => world.ask(region, operation);
  ask(set('a', '1'));
  ask(set('a', '2', false));
  for (let i = 0; i < 4; i++) ask({ kind: 'set', key: `w${i}`, value: bytes('pushed'), consistent: false, w: 2 });
  ask({ kind: 'get', key: 'w0', consistent: false, r: 2 });
  ask({ kind: 'swap', key: 'a', oldValue: bytes('2'), newValue: bytes('3') });
  ask(update('n', { type: 'counter', action: 'add', amount: 5 }));
  ask(update('s', { type: 'set', action: 'add', element: bytes('x') }));
  ask(update('s', { type: 'set', action: 'remove', element: bytes('x') }));
  ask(update('f', { type: 'flag', action: 'enable' }, false));
  ask(update('m', { type: 'multiRegister', value: bytes('v'), context: null }));
  ask(update('d', { type: 'document', action: 'change', bytes: bytes('chunk'), operations: 2 }));
  ask({ kind: 'leaseGrant', lease: 'l1', ttlMs: 60_000, key: 'b' });
  ask({ kind: 'set', key: 'b', value: bytes('leased'), consistent: true, lease: 'l1' });
  ask({
    kind: 'txn',
    compares: [{ kind: 'value', key: 'a', equals: bytes('3') }],
    then: [
      { kind: 'set', key: 'a', value: bytes('4') },
      { kind: 'get', key: 'a' },
    ],
    otherwise: [],
  });
  world.until(() => world.isConverged());
  world.cut('r1', 'r2');
  for (const region of ['r1', 'r2']) {
    for (let i = 0; i < 20; i++) ask(set(`k${i}`, `${region} ${'x'.repeat(100)}`), region);
    ask(update('n', { type: 'counter', action: 'reset' }), region);
    ask({ kind: 'delete', key: 'k3', consistent: true }, region);
    ask(set(`both`, region, false), region);
  }
  ask(set('n', 'another type', false), 'r2');
  world.world('r1').crash('n3');
  for (let i = 0; i < 30; i++) ask(get('a'));
  world.run(2_000);
  world.heal();
  world.world('r1').start('n3');
  world.until(() => world.isConverged(), 60_000, 'convergence');
  const records = new Map<string, Uint8Array>();
  for (const region of world.regions) {
    for (const name of world.world(region).names) {
      const [partition] = world.world(region).replica(name).partitionsForTests;
      partition?.turn.saveState();
      for (const { key, value } of partition?.turn.store.scan({ from: '', to: '~' }) ?? [])
        records.set(key, value.slice());
    }
  }
  return records;
}

/** For a case that is given as hex. */
export function bytesOf(text: string): Uint8Array {
  const found = fromHex(text);
  if (found === null) throw new Error('not hex');
  return found;
}
