import type { Answer, Outcome } from '@skerry/protocol';
import { SkerryError } from './errors.ts';
import type { CallResult } from './pending.ts';

export function signalOf({ signal }: { readonly signal?: AbortSignal }): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** A node that answers with something else than was asked for breaks the protocol. */
export function expect<K extends Answer['kind']>(answer: Answer, kind: K): Extract<Answer, { readonly kind: K }> {
  if (answer.kind !== kind)
    throw new SkerryError({
      code: 'MALFORMED_FRAME',
      detail: `the node answered ${answer.kind} where ${kind} was due`,
    });
  return answer as Extract<Answer, { readonly kind: K }>;
}

export function answerOf<K extends Answer['kind']>(
  { settlement }: CallResult,
  kind: K,
): Extract<Answer, { readonly kind: K }> {
  if (settlement.kind === 'expired') throw new SkerryError({ code: 'TIMEOUT' });
  return expect(settlement.answer, kind);
}

export function mustBeApplied({ settlement, ticket }: CallResult, what: string): void {
  const outcome: Outcome | null =
    settlement.kind === 'expired' ? settlement.outcome : expect(settlement.answer, 'lease').outcome;
  if (outcome === 'applied') return;
  throw new SkerryError({
    code: 'TIMEOUT',
    detail: `${what} is ${outcome}`,
    definite: outcome === 'notApplied',
    ...(ticket === null ? {} : { ticket }),
  });
}
