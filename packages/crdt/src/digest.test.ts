import { utf8Encode } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTombstone, valueDigest, type Value } from './index.ts';
import {
  counterRequests,
  documentRequests,
  flagRequests,
  multiRegisterRequests,
  registerRequests,
  replicaCount,
  setRequests,
  steps,
} from './testing/arbitraries.ts';
import { Cluster, stateText, type PlannedRequest } from './testing/cluster.ts';
import { counterTotal, documentValue, flagValue, multiRegisterValues, registerValue, setValues } from './views.ts';

const text = (value: Value | null): string => {
  const { high, low } = value === null ? { high: 0, low: 0 } : valueDigest('key', value);
  return `${high}/${low}`;
};

/** What users see, whatever the type. */
function shown(value: Value): string {
  return JSON.stringify(
    [
      registerValue(value),
      counterTotal(value),
      setValues(value),
      flagValue(value),
      multiRegisterValues(value)?.siblings,
      documentValue(value)?.chunks,
    ],
    (_, part: unknown) => (typeof part === 'bigint' ? part.toString() : part),
  );
}

const types: readonly (readonly [string, fc.Arbitrary<PlannedRequest>])[] = [
  ['register', registerRequests],
  ['multiRegister', multiRegisterRequests],
  ['counter', counterRequests],
  ['set', setRequests],
  ['flag', flagRequests],
  ['document', documentRequests],
];

describe.each(types)('the digest of a %s', (_, requests) => {
  it('is equal where replicas have seen the same, however far they compacted', () => {
    fc.assert(
      fc.property(steps(requests, { compacts: true }), (run) => {
        const cluster = new Cluster(replicaCount).run(run);
        cluster.settle();
        expect(new Set(cluster.members.map(({ state }) => text(state))).size).toBe(1);
      }),
      { numRuns: 80 },
    );
  });

  it('differs where users see something else, and says nothing of tombstones', () => {
    fc.assert(
      fc.property(steps(requests, { compacts: true }), (run) => {
        const { states } = new Cluster(replicaCount).run(run);
        for (const state of states) expect(text(state) === '0/0', stateText(state)).toBe(isTombstone(state));
        for (const a of states.slice(-6))
          for (const b of states.slice(-6)) if (shown(a) !== shown(b)) expect(text(a)).not.toBe(text(b));
      }),
      { numRuns: 80 },
    );
  });
});

it('depends on the key', () => {
  const value: Value = {
    parts: [
      {
        type: 'register',
        stamp: { wallMs: 1, counter: 0, replica: 1 as never },
        dot: { replica: 1 as never, sequence: 1 },
        value: utf8Encode('v'),
        replaces: null,
      },
    ],
  };
  expect(valueDigest('a', value)).not.toEqual(valueDigest('b', value));
});
