import type { SeenMessage } from '@skerry/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NodeSeen, SessionToken } from './token.ts';

type Positions = Readonly<Record<number, number>>;

function seenMessage(
  partition: number,
  positions: Positions,
  promoted: { replica: number; sequence: number },
): SeenMessage {
  return {
    kind: 'seen',
    partitions: [
      {
        partition,
        positions: Object.entries(positions).map(([origin, sequence]) => ({
          origin: Number(origin) as never,
          sequence,
        })),
        promoted: promoted as never,
      },
    ],
  };
}

const dot = (replica: number, sequence: number): { replica: never; sequence: number } => ({
  replica: replica as never,
  sequence,
});

describe('what a session has seen', () => {
  const positions = fc.record({ 1: fc.nat({ max: 5 }), 2: fc.nat({ max: 5 }) });
  const step = fc.oneof(
    fc.record({
      do: fc.constant('seen' as const),
      node: fc.nat({ max: 2 }),
      partition: fc.nat({ max: 1 }),
      positions,
      promoted: fc.nat({ max: 3 }),
    }),
    fc.record({ do: fc.constant('answer' as const), node: fc.nat({ max: 2 }), partition: fc.nat({ max: 1 }) }),
    fc.record({
      do: fc.constant('write' as const),
      node: fc.nat({ max: 2 }),
      partition: fc.nat({ max: 1 }),
      sequence: fc.integer({ min: 1, max: 5 }),
    }),
    fc.record({ do: fc.constant('carry' as const) }),
  );

  it('is missing at a node exactly as plain sets say, whatever happened before, and in another process too', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let token = new SessionToken();
        const nodes = [0, 1, 2].map(() => new NodeSeen());
        // The plain model: by partition the highest entries handed out and the dots written; by node what it told last.
        const session = [0, 1].map(() => ({ logs: new Map<number, number>(), dots: new Set<string>() }));
        const told = nodes.map(() => [0, 1].map(() => ({ logs: new Map<number, number>(), known: false })));
        const fold = (node: number, partition: number): void => {
          for (const [origin, sequence] of told[node]![partition]!.logs)
            session[partition]!.logs.set(origin, Math.max(session[partition]!.logs.get(origin) ?? 0, sequence));
        };
        for (const each of steps) {
          if (each.do === 'seen') {
            const { node, partition } = each;
            // What is applied only grows.
            const before = told[node]![partition]!.logs;
            const grown = Object.fromEntries(
              Object.entries(each.positions).map(([origin, sequence]) => [
                origin,
                Math.max(sequence, before.get(Number(origin)) ?? 0),
              ]),
            );
            told[node]![partition] = {
              logs: new Map(Object.entries(grown).map(([origin, sequence]) => [Number(origin), sequence])),
              known: true,
            };
            nodes[node]!.take(seenMessage(partition, grown, { replica: 100 + node, sequence: each.promoted }));
            token.settleOwn(nodes[node]!);
            for (const number of [0, 1]) {
              // Only what was told of this node's partition is known as its own.
              for (const text of [...session[number]!.dots]) {
                const [replica, sequence] = text.split('-').map(Number) as [number, number];
                const promoted = nodes[node]!.partitions.get(number)?.promoted;
                if (promoted === undefined || replica !== 100 + node || sequence > promoted.sequence) continue;
                session[number]!.dots.delete(text);
                fold(node, number);
              }
            }
          } else if (each.do === 'answer') {
            token.fold(each.partition, nodes[each.node]!);
            fold(each.node, each.partition);
          } else if (each.do === 'write') {
            token.wrote(each.partition, dot(100 + each.node, each.sequence));
            session[each.partition]!.dots.add(`${100 + each.node}-${each.sequence}`);
          } else {
            token = new SessionToken(token.text('c'));
            // A connection of another process has handed nothing out yet.
            for (const [at, node] of nodes.entries()) {
              const fresh = new NodeSeen();
              for (const [partition, { positions: logs, promoted }] of node.partitions)
                fresh.take(seenMessage(partition, Object.fromEntries(logs), promoted));
              nodes[at] = fresh;
            }
          }
          for (const [at, node] of nodes.entries()) {
            for (const partition of [0, 1]) {
              const asked = token.missing(partition, node);
              const logs = [...session[partition]!.logs].filter(
                ([origin, sequence]) => (told[at]![partition]!.logs.get(origin) ?? 0) < sequence,
              );
              const dots = [...session[partition]!.dots].filter(
                (text) => !told[at]![partition]!.known || !text.startsWith(`${100 + at}-`),
              );
              expect(new Map(asked?.positions.map(({ origin, sequence }) => [Number(origin), sequence]))).toEqual(
                new Map(logs),
              );
              expect(new Set(asked?.dots.map(({ replica, sequence }) => `${replica}-${sequence}`))).toEqual(
                new Set(dots),
              );
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is bounded', () => {
    const token = new SessionToken();
    const node = new NodeSeen();
    for (let i = 1; i <= 1_000; i++) {
      token.wrote(0, dot(7, i));
      node.take(seenMessage(0, { [i]: 2 ** 40 }, { replica: 1, sequence: 0 }));
      token.fold(0, node);
    }
    const missing = token.missing(0, new NodeSeen());
    expect(missing?.positions.map(({ origin }) => origin)).toEqual(Array.from({ length: 64 }, (_, i) => 937 + i));
    expect(missing?.dots.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 256 }, (_, i) => 745 + i));
    expect(token.text('c').length).toBeLessThan(5_000);
  });

  it('keeps an origin that is raised again and again', () => {
    const token = new SessionToken();
    const node = new NodeSeen();
    for (let i = 2; i <= 64; i++) {
      node.take(seenMessage(0, { 1: i, [i]: 1 }, { replica: 1, sequence: 0 }));
      token.fold(0, node);
    }
    node.take(seenMessage(0, { 65: 1 }, { replica: 1, sequence: 0 }));
    token.fold(0, node);
    const origins = token.missing(0, new NodeSeen())?.positions.map(({ origin }) => Number(origin));
    expect(origins?.length).toBe(64);
    expect(origins).toContain(1);
    expect(origins).not.toContain(2);
  });

  it('is worth waiting for again once a node that did not have it has caught up', () => {
    const token = new SessionToken();
    const [far, near] = [new NodeSeen(), new NodeSeen()];
    far.take(seenMessage(0, { 1: 5 }, { replica: 1, sequence: 0 }));
    token.fold(0, far);
    near.stuck.add(0);
    expect(token.missing(0, near)).not.toBeNull();
    expect(near.stuck.has(0)).toBe(true);
    near.take(seenMessage(0, { 1: 5 }, { replica: 2, sequence: 0 }));
    expect(token.missing(0, near)).toBeNull();
    expect(near.stuck.has(0)).toBe(false);
  });
});
