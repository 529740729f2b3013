import { DecodeError, nodeId, regionId, replicaId } from '@skerry/base';
import { CausalContext, type Stamp } from '@skerry/crdt';
import { simpleConfig } from '@skerry/raft';
import { describe, expect, it } from 'vitest';
import { decodeHeader, emptyHeader, encodeHeader, reseedingStages, type StateHeader } from './header.ts';
import { TakenAway } from './taken-away.ts';

const stamp = (wallMs: number): Stamp => ({ wallMs, counter: 1, replica: replicaId(9) });
const context = (...sequences: number[]): CausalContext =>
  CausalContext.of(sequences.map((sequence) => ({ replica: replicaId(21), sequence })));
/** Of an element that was removed, and of a counter that was deleted. */
function takenAway(dot: number, upTo: number): TakenAway {
  const taken = TakenAway.empty();
  const replica = replicaId(21);
  taken.note('set', { type: 'set', action: 'remove', observed: [{ replica, sequence: dot }] }, CausalContext.empty());
  const sum = { prefix: { upTo, plus: 1n, minus: 0n }, beyond: new Map<number, bigint>() };
  const observed = new Map([[replica, new Map([[1, sum]])]]);
  taken.note('counter', { type: 'counter', action: 'reset', observed }, CausalContext.empty());
  return taken;
}
const [r1, r2] = [regionId('r1'), regionId('r2')];
const config = { ...simpleConfig([nodeId('n1'), nodeId('n2')]), learners: [nodeId('n3')] };

/** No two of its fields of one type have the same value. */
const full: StateHeader = {
  applied: 101,
  term: 3,
  config,
  clusterMs: 1_001,
  clock: stamp(1),
  context: context(1, 2, 7),
  clampFloors: new Map([[replicaId(1), stamp(2)]]),
  sessionHorizonMs: 1_002,
  sessionQuorumlessHorizonMs: 1_003,
  receipts: { first: 4, next: 5 },
  conflicts: { first: 6, next: 7 },
  feedFirst: 8,
  admitted: new Map([[nodeId('n1'), replicaId(1)]]),
  origin: replicaId(11),
  lastDot: 9,
  origins: new Map([
    [replicaId(11), { region: r1, applied: 10, first: 11, bytes: 12, offered: 0, ended: false, endedAt: null }],
    [
      replicaId(12),
      {
        region: r2,
        applied: 13,
        first: 14,
        bytes: 15,
        offered: 16,
        ended: true,
        endedAt: new Map([[replicaId(11), 21]]),
      },
    ],
  ]),
  regions: new Map([
    [
      r2,
      {
        region: r2,
        urls: ['ws://d'],
        nodes: [{ node: nodeId('n1'), peerUrl: 'ws://a', clientUrl: 'ws://b', adminUrl: 'http://c' }],
        evicted: true,
        changedAt: stamp(3),
        outSince: stamp(4),
        report: { origin: replicaId(12), head: 17, positions: new Map([[replicaId(11), 18]]) },
      },
    ],
  ]),
  replicaRegions: new Map([[replicaId(12), r2]]),
  collected: stamp(5),
  graves: { count: 3, floor: stamp(4) },
  reseeding: { stage: 'waits', from: r2, ended: replicaId(13), until: 19, outSince: stamp(6) },
  reseededFor: stamp(7),
  takenAway: takenAway(5, 9),
  exchangedTombstones: 20,
};

/** A context has no fields that a comparison would see. */
function shown(header: StateHeader): unknown {
  return { ...header, context: header.context.toText(), takenAway: header.takenAway.toText() };
}

describe('the header of an applied state', () => {
  it.each<[string, StateHeader]>([
    ['of which nothing is known', emptyHeader(config, 100, 2)],
    ['with something in every field', full],
  ])('is read as it was written: one %s', (_, header) => {
    const bytes = encodeHeader(header);
    const decoded = decodeHeader(bytes);
    expect(shown(decoded)).toEqual(shown(header));
    expect(encodeHeader(decoded)).toEqual(bytes);
  });

  it.each(reseedingStages)('keeps how far a re-seeding is: %s', (stage) => {
    const { reseeding } = decodeHeader(encodeHeader({ ...full, reseeding: { ...full.reseeding!, stage } }));
    expect(reseeding).toEqual({ ...full.reseeding, stage });
  });

  it('is refused if it is cut off, too long or of another version', () => {
    const bytes = encodeHeader(full);
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeHeader(bytes.subarray(0, length))).toThrow(DecodeError);
    expect(() => decodeHeader(Uint8Array.from([...bytes, 0]))).toThrow(DecodeError);
    expect(() => decodeHeader(Uint8Array.from([3, ...bytes.subarray(1)]))).toThrow(DecodeError);
  });
});
