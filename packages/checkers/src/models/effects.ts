import { returnAt, type Effect, type Operation } from '../model.ts';

export interface TimedEffect extends Effect {
  readonly callAt: number;
  /** Infinite if it may never happen. */
  readonly returnAt: number;
}

export function timed(operation: Operation<unknown, unknown>, effect: Effect): TimedEffect {
  return { ...effect, callAt: operation.callAt, returnAt: returnAt(operation) };
}

/**
 * True if `candidate` can leave any linearization of itself and the `rest` without harm, all on one register.
 *
 * If it leaves no value, the others go on as before. If it leaves v, its absence is felt only by an operation that
 * observes v and comes after it and before the next that leaves a value. There is none if everyone who observes v
 *
 * - was over before the candidate was called, so it comes first; or
 * - was called after a certain write was over that was itself called after the candidate was over, so that the write
 *   comes between them.
 *
 * From the next value on, all is as before. What is optional and would now find its old value is left out of the
 * linearization, as it may be. Versions only get less constrained: they still rise.
 *
 * That is sound, but would reduce every stale read to a lone read of a value from nowhere, true and useless. So in the
 * second case another write of v, from which the observer may have had it, must stay.
 */
export function isDroppable(candidate: TimedEffect, rest: readonly TimedEffect[]): boolean {
  const { leaves } = candidate;
  if (leaves === 'nothing') return true;
  // An append leaves what everyone after it sees a part of.
  if (leaves === 'any') return false;
  const later = rest.filter((other) => other.leaves !== 'nothing' && candidate.returnAt < other.callAt);
  // The one of them that is over first shields the most observers. An operation that may never happen shields none.
  const shieldedFrom = Math.min(Number.POSITIVE_INFINITY, ...later.map((other) => other.returnAt));
  const earliestTwin = Math.min(
    ...rest.filter((other) => leavesValue(other, leaves.value)).map((other) => other.callAt),
  );
  return rest.every((other) => {
    if (other.observes === 'nothing') return true;
    if (other.observes !== 'any' && other.observes.value !== leaves.value) return true;
    return other.returnAt < candidate.callAt || (shieldedFrom < other.callAt && earliestTwin < other.returnAt);
  });
}

function leavesValue(effect: TimedEffect, value: string | null): boolean {
  return typeof effect.leaves === 'object' && effect.leaves.value === value;
}
