import { utf8Encode } from '@skerry/base';
import fc from 'fast-check';
import { CausalContext } from '../index.ts';
import type { PlannedRequest, Step } from './cluster.ts';

export const replicaCount = 3;

const letter: fc.Arbitrary<Uint8Array> = fc.constantFrom('a', 'b', 'c').map((text) => utf8Encode(text));
const remove: fc.Arbitrary<PlannedRequest> = fc.constant({ type: 'delete' });

function withDelete(requests: fc.Arbitrary<PlannedRequest>): fc.Arbitrary<PlannedRequest> {
  return fc.oneof({ arbitrary: requests, weight: 6 }, { arbitrary: remove, weight: 1 });
}

export const registerRequests: fc.Arbitrary<PlannedRequest> = withDelete(
  fc.record({ type: fc.constant('register'), value: letter }),
);

export const multiRegisterRequests: fc.Arbitrary<PlannedRequest> = withDelete(
  fc.record({ type: fc.constant('multiRegister'), value: letter, context: fc.constantFrom('read', null) }),
);

export const counterRequests: fc.Arbitrary<PlannedRequest> = withDelete(
  fc.oneof(
    {
      arbitrary: fc.record({
        type: fc.constant('counter'),
        action: fc.constant('add'),
        amount: fc.integer({ min: -9, max: 99 }),
      }),
      weight: 5,
    },
    { arbitrary: fc.constant<PlannedRequest>({ type: 'counter', action: 'reset' }), weight: 1 },
  ),
);

export const setRequests: fc.Arbitrary<PlannedRequest> = withDelete(
  fc.record({ type: fc.constant('set'), action: fc.constantFrom('add', 'remove'), element: letter }),
);

export const flagRequests: fc.Arbitrary<PlannedRequest> = withDelete(
  fc.record({ type: fc.constant('flag'), action: fc.constantFrom('enable', 'disable') }),
);

/** Chunks that only a `DocumentEngine` would look into; here they are letters. */
export const documentRequests: fc.Arbitrary<PlannedRequest> = withDelete(
  fc.oneof(
    {
      arbitrary: fc.record({
        type: fc.constant('document'),
        action: fc.constant('change'),
        bytes: letter,
        operations: fc.constant(1),
      }),
      weight: 5,
    },
    {
      // Compacts the first half of what the first replica wrote, if it is there.
      arbitrary: letter.map((bytes): PlannedRequest => {
        const context = CausalContext.empty();
        context.addRange(1 as never, 1, 6);
        return { type: 'document', action: 'compact', bytes, operations: 2, context };
      }),
      weight: 1,
    },
  ),
);

export const anyRequests: fc.Arbitrary<PlannedRequest> = fc.oneof(
  registerRequests,
  multiRegisterRequests,
  counterRequests,
  setRequests,
  flagRequests,
  documentRequests,
);

export interface StepOptions {
  readonly compacts?: boolean;
  /** Tombstones are forgotten, and writes wait for their promotion. */
  readonly collects?: boolean;
}

/** A run: writes, causal deliveries in any order, state merges, and (if asked for) compactions and collections. */
export function steps(
  requests: fc.Arbitrary<PlannedRequest>,
  { compacts = false, collects = false }: StepOptions = {},
): fc.Arbitrary<Step[]> {
  const at = fc.nat({ max: replicaCount - 1 });
  const write = fc.record({
    do: fc.constant('write'),
    at,
    request: requests,
    skipDots: fc.constantFrom(0, 0, 1, 4),
    skewMs: fc.constantFrom(0, 0, 0, 50, -50),
  });
  const deliver = fc.record({ do: fc.constant('deliver'), at, pick: fc.nat({ max: 9 }), twice: fc.boolean() });
  const merge = fc.record({ do: fc.constant('merge'), at, from: at });
  const compact = fc.record({ do: fc.constant('compact'), at });
  const hold = fc.record({ do: fc.constant('hold'), at, request: requests, skipDots: fc.constantFrom(0, 1, 4) });
  const promote = fc.record({ do: fc.constant('promote'), at, pick: fc.constantFrom(0, 0, 1, 2) });
  const collect = fc.record({ do: fc.constant('collect'), at });
  const step = fc.oneof(
    { arbitrary: write, weight: 4 },
    { arbitrary: deliver, weight: 6 },
    { arbitrary: merge, weight: 1 },
    { arbitrary: compact, weight: compacts ? 2 : 0 },
    { arbitrary: hold, weight: collects ? 1 : 0 },
    { arbitrary: promote, weight: collects ? 1 : 0 },
    { arbitrary: collect, weight: collects ? 3 : 0 },
  );
  return fc.array(step as fc.Arbitrary<Step>, { minLength: 2, maxLength: collects ? 60 : 40, size: 'max' });
}
