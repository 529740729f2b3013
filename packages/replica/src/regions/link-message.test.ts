import { DecodeError, nodeId, partitionId, regionId, replicaId, utf8Encode, type RegionId } from '@skerry/base';
import { CausalContext, type Stamp } from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import { reseedingStages } from '../state/header.ts';
import type { OriginPosition } from '../state/region-log.ts';
import { TakenAway } from '../state/taken-away.ts';
import { decodeLinkFrame, encodeLinkFrame, partitionOfFrame, type LinkMessage } from './link-message.ts';

const [r2, r3] = [regionId('r2'), regionId('r3')];
const stamp = (wallMs: number): Stamp => ({ wallMs, counter: 1, replica: replicaId(9) });
const position = (origin: number, region: RegionId, applied: number, offered: number): OriginPosition => ({
  origin: replicaId(origin),
  region,
  applied,
  offered,
});
const positions = [position(11, r2, 5, 0), position(12, r3, 6, 8)];
const context = (...sequences: number[]): CausalContext =>
  CausalContext.of(sequences.map((sequence) => ({ replica: replicaId(21), sequence })));
const takenAway = TakenAway.empty();
takenAway.note('set', { type: 'set', action: 'remove', observed: [...(context(5, 9).dots(2) ?? [])] }, context());
const entries = [utf8Encode('one'), utf8Encode('')];
const exchange = 7_000_003;

/** One of each kind, none of which has two fields of one type with the same value. */
const messages: { readonly [K in LinkMessage['kind']]: Extract<LinkMessage, { kind: K }> } = {
  heartbeat: {
    kind: 'heartbeat',
    origin: replicaId(11),
    positions,
    digest: { high: 1, low: 2 },
    wallMs: 1_000,
    reseededFor: stamp(2),
    reseedingFor: stamp(8),
    waits: reseedingStages.map((stage, index) => ({ region: regionId(`r${index + 2}`), stage })),
    nodes: [{ node: nodeId('n1'), peerUrl: 'ws://a', clientUrl: 'ws://b', adminUrl: 'http://c' }],
    regions: [{ region: r3, urls: ['ws://d'], evicted: true, changedAt: stamp(3) }],
  },
  pull: { kind: 'pull', origin: replicaId(11), from: 4, again: true },
  entries: { kind: 'entries', origin: replicaId(11), region: r2, first: 4, entries },
  trimmed: { kind: 'trimmed', origin: replicaId(11), first: 4 },
  evicted: { kind: 'evicted', origin: replicaId(11), outSince: stamp(4), out: [r2, r3], taken: positions },
  offer: { kind: 'offer', origin: replicaId(12), region: r3, first: 9, entries },
  digestsAsk: { kind: 'digestsAsk', exchange, origin: replicaId(13), reseededFor: stamp(5) },
  digests: {
    kind: 'digests',
    exchange,
    sums: utf8Encode('sums'),
    positions,
    context: context(1, 2, 3, 7),
    takenAway,
    reseededFor: stamp(9),
    collected: stamp(6),
    buried: stamp(7),
    out: [{ region: r3, outSince: stamp(7) }],
  },
  keysAsk: { kind: 'keysAsk', exchange, after: 'k', buckets: [0, 4_095] },
  keys: { kind: 'keys', exchange, positions, after: 'k', keys: [{ key: 'l', digest: { high: 3, low: 4 } }], next: 'm' },
  valuesAsk: { kind: 'valuesAsk', exchange, keys: ['k', 'l'] },
  values: {
    kind: 'values',
    exchange,
    positions,
    values: [
      { key: 'k', value: utf8Encode('v') },
      { key: 'l', value: null },
    ],
  },
  gravesAsk: { kind: 'gravesAsk', exchange, after: 'k' },
  graves: {
    kind: 'graves',
    exchange,
    positions,
    after: 'k',
    graves: [{ key: 'l', value: utf8Encode('v') }],
    next: 'm',
  },
};

/** A context has no fields that a comparison would see. */
function shown(message: LinkMessage): unknown {
  if (message.kind !== 'digests') return message;
  return { ...message, context: message.context.toText(), takenAway: message.takenAway.toText() };
}

describe('a link frame', () => {
  it.each(Object.values(messages))('carries all that is said: $kind', (message) => {
    const frame = encodeLinkFrame(partitionId(258), message);
    expect(partitionOfFrame(frame)).toBe(258);
    const decoded = decodeLinkFrame(frame);
    expect(shown(decoded)).toEqual(shown(message));
    expect(encodeLinkFrame(partitionId(258), decoded)).toEqual(frame);
  });

  it('carries empty lists and what is not there', () => {
    const empty: LinkMessage[] = [
      { ...messages.heartbeat, reseedingFor: null, positions: [], waits: [], nodes: [], regions: [] },
      { ...messages.evicted, out: [], taken: [] },
      { ...messages.digests, positions: [], context: context(), takenAway: TakenAway.empty(), out: [] },
      { ...messages.keys, positions: [], keys: [], next: null },
    ];
    for (const message of empty)
      expect(shown(decodeLinkFrame(encodeLinkFrame(partitionId(0), message)))).toEqual(shown(message));
  });

  it.each(Object.values(messages))('is refused if it is cut off, too long or of another version: $kind', (message) => {
    const frame = encodeLinkFrame(partitionId(0), message);
    for (let length = 0; length < frame.length; length++)
      expect(() => decodeLinkFrame(frame.subarray(0, length))).toThrow(DecodeError);
    expect(() => decodeLinkFrame(Uint8Array.from([...frame, 0]))).toThrow(DecodeError);
    const older = Uint8Array.from(frame);
    older[0] = (frame[0] as number) - 1;
    expect(() => decodeLinkFrame(older)).toThrow(/link frame of version/);
    expect(partitionOfFrame(older)).toBeNull();
  });

  it('is refused if it tells of a stage of re-seeding that there is none', () => {
    const waits = [{ region: regionId('waiting'), stage: 'replaces' as const }];
    const frame = encodeLinkFrame(partitionId(0), { ...messages.heartbeat, waits });
    const at = Buffer.from(frame).indexOf('waiting') + 'waiting'.length;
    expect(frame[at]).toBe(reseedingStages.indexOf('replaces'));
    frame[at] = reseedingStages.length;
    expect(() => decodeLinkFrame(frame)).toThrow(/unknown stage/);
  });
});
