import { ByteReader, ByteWriter, clientId, nodeId, partitionId, replicaId } from '../../packages/base/src/index.ts';
import {
  CausalContext,
  decodeOperation,
  decodeStamp,
  decodeValue,
  encodeOperation,
  encodeStamp,
  encodeValue,
  IntervalSet,
} from '../../packages/crdt/src/index.ts';
import { decodeConfigState, decodeEntry, decodeHardState, encodeConfigState } from '../../packages/raft/src/index.ts';
import { stateKeys } from '../../packages/replica/src/keys.ts';
import { decodePeerFrame } from '../../packages/replica/src/peer-message.ts';
import { decodePending, encodePending } from '../../packages/replica/src/pending.ts';
import { MemoryStorage } from '../../packages/replica/src/ports/memory-storage.ts';
import { decodeLinkFrame, partitionOfFrame } from '../../packages/replica/src/regions/link-message.ts';
import { StagedStore } from '../../packages/replica/src/staged-store.ts';
import { decodeBatch } from '../../packages/replica/src/state/batch.ts';
import { Digests } from '../../packages/replica/src/state/digests.ts';
import { decodeChanges } from '../../packages/replica/src/state/feed.ts';
import { decodeHeader } from '../../packages/replica/src/state/header.ts';
import { decodeKeyRecord } from '../../packages/replica/src/state/key-record.ts';
import { Leases } from '../../packages/replica/src/state/leases.ts';
import { decodeConflict } from '../../packages/replica/src/state/ledger.ts';
import { Members } from '../../packages/replica/src/state/members.ts';
import { decodeReceipts } from '../../packages/replica/src/state/receipts.ts';
import { decodeEntryList, decodeRegionEntry } from '../../packages/replica/src/state/region-entry.ts';
import { decodeResult } from '../../packages/replica/src/state/result.ts';
import { Sessions } from '../../packages/replica/src/state/sessions.ts';
import { contextFromText } from '../../packages/replica/src/view.ts';
import type { Corpus } from './lib/corpus.ts';
import { ofBytes, type Target } from './lib/target.ts';

/** Frames of peers and links, region entries, and every kind of stored record. */
export function replicaTargets({ peerFrames, linkFrames, entryLists, records }: Corpus): Target[] {
  const stored = (pattern: RegExp): Uint8Array[] =>
    [...records]
      .filter(([key]) => pattern.test(key))
      .map(([, value]) => value)
      .slice(0, 60);
  const state = (letter: string): Uint8Array[] => stored(new RegExp(`^s/0000/[01]/${letter}/`));
  const bodies = stored(/^l\//).map((record) => record.slice(4));
  const entries = bodies.map((body) => decodeEntry(new ByteReader(body)));
  const headers = stored(/^s\/0000\/[01]\/h$/);
  const logs = state('g');
  const regionEntries = logs.flatMap((record) => decodeEntryList(record));
  const values = state('k');
  return [
    ofBytes('peer frame', peerFrames, decodePeerFrame),
    ofBytes('link frame', linkFrames, (bytes) => [partitionOfFrame(bytes), decodeLinkFrame(bytes)]),
    ofBytes('list of region entries', [...entryLists, ...logs], decodeEntryList),
    ofBytes('region entry', regionEntries, decodeRegionEntry),
    ofBytes('log entry', bodies, (bytes) => decodeEntry(new ByteReader(bytes))),
    ofBytes(
      'batch of commands',
      entries.filter(({ kind }) => kind === 'normal').map(({ data }) => data),
      decodeBatch,
    ),
    ofBytes(
      'configuration of a group',
      headers.map((header) => written((w) => encodeConfigState(w, decodeHeader(header).config))),
      (bytes) => decodeConfigState(new ByteReader(bytes)),
    ),
    ofBytes('hard state', stored(/^r\/.*\/hard$/), (bytes) => decodeHardState(new ByteReader(bytes))),
    ofBytes('pending write', pendingSamples(peerFrames), (bytes) => decodePending(new ByteReader(bytes))),
    ofBytes('state header', headers, decodeHeader),
    ofBytes('key record', values, decodeKeyRecord),
    ofBytes('result', stored(/^s\/0000\/[01]\/c\/[^/]+\/[^/]+$/), decodeResult),
    ofBytes('conflict', state('o'), decodeConflict),
    ofBytes('page of receipts', state('t'), decodeReceipts),
    ofBytes('feed of changes', state('f'), decodeChanges),
    ofBytes('value', values.map(valueBytes), (bytes) => decodeValue(new ByteReader(bytes))),
    ofBytes('operation', operationSamples(regionEntries), (bytes) => decodeOperation(new ByteReader(bytes))),
    ofBytes(
      'stamp',
      [written((w) => encodeStamp(w, { wallMs: 1_700_000_000_000, counter: 7, replica: replicaId(101) }))],
      (bytes) => decodeStamp(new ByteReader(bytes)),
    ),
    ofBytes('causal context', [contextBytes()], (bytes) => CausalContext.decode(new ByteReader(bytes))),
    ofBytes('intervals', [written((w) => intervals().encode(w))], (bytes) => IntervalSet.decode(new ByteReader(bytes))),
    ofBytes('context of a client', [contextBytes()], (bytes) => contextFromText(Buffer.from(bytes).toString('hex'))),
    ...keptTargets(records),
  ];
}

/** Records that are read by the object that keeps them. */
function keptTargets(records: ReadonlyMap<string, Uint8Array>): Target[] {
  const keys = stateKeys(partitionId(0), 0);
  const reads = (name: string, pattern: RegExp, read: (store: StagedStore, key: string) => unknown): Target => {
    const found = [...records].filter(([key]) => pattern.test(key)).slice(0, 60);
    const [first] = found;
    if (first === undefined) throw new Error(`no records of ${name}`);
    const key = first[0].replace(/^s\/0000\/1\//, 's/0000/0/');
    return ofBytes(
      name,
      found.map(([, value]) => value),
      (bytes) => {
        const store = new StagedStore(new MemoryStorage());
        store.put(key, bytes);
        return read(store, key);
      },
    );
  };
  const last = (key: string): string => key.slice(key.lastIndexOf('/') + 1);
  return [
    reads('session', /^s\/0000\/[01]\/c\/[^/]+$/, (store, key) => new Sessions(keys, store).find(clientId(last(key)))),
    reads('lease', /^s\/0000\/[01]\/e\//, (store, key) => new Leases(keys, store).find(last(key))),
    reads('member', /^s\/0000\/[01]\/n\//, (store, key) => new Members(keys, store).find(nodeId(last(key)))),
    reads('digests', /^s\/0000\/[01]\/b\//, (store) => new Digests(keys, store).encode()),
  ];
}

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.finish();
}

/** What was pushed to others has the form of what is kept; by the end all of it is settled. */
function pendingSamples(peerFrames: readonly Uint8Array[]): Uint8Array[] {
  const pushed = peerFrames.flatMap((frame) =>
    decodePeerFrame(frame).flatMap((message) => (message.kind === 'push' ? message.writes : [])),
  );
  return pushed.map((pending) => written((w) => encodePending(w, pending)));
}

function operationSamples(entries: readonly Uint8Array[]): Uint8Array[] {
  return entries.flatMap((entry) =>
    decodeRegionEntry(entry).effects.map(({ op }) => written((w) => encodeOperation(w, op))),
  );
}

function valueBytes(record: Uint8Array): Uint8Array {
  return written((w) => encodeValue(w, decodeKeyRecord(record).value));
}

function intervals(): IntervalSet {
  const set = new IntervalSet();
  for (const one of [1, 2, 3, 7, 9, 10, 300]) set.add(one);
  return set;
}

function contextBytes(): Uint8Array {
  const dots = [1, 2, 3, 7, 9].flatMap((sequence) =>
    [101, 102].map((replica) => ({ replica: replicaId(replica), sequence })),
  );
  return written((w) => CausalContext.of(dots).encode(w));
}
