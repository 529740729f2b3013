import type { Plan } from './plan.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** A plan that can be written to a file: a set stands there as `{ "set": […] }`. */
export function planToJson(plan: Plan): JsonObject {
  return JSON.parse(
    JSON.stringify(plan, (_, value: unknown) => (value instanceof Set ? { set: [...(value as Set<Json>)] } : value)),
  ) as JsonObject;
}

/** What {@link planToJson} gave; what the plan has since then is as `drawn` has it. */
export function planFromJson(json: JsonObject, drawn: Plan): Plan {
  const stored = JSON.parse(JSON.stringify(json), (_, value: unknown) =>
    isSet(value) ? new Set(value.set) : value,
  ) as Partial<Plan>;
  return { ...drawn, ...stored };
}

function isSet(value: unknown): value is { readonly set: readonly Json[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'set' in value &&
    Array.isArray(value.set) &&
    Object.keys(value).length === 1
  );
}

/** Numbers that make a world smaller, and the smallest there is sense in. */
const smallest: Readonly<Record<string, number>> = {
  callsMax: 1,
  safetyMs: 50,
  others: 0,
  clientCount: 1,
  nodeCount: 1,
  spareCount: 0,
  partitionCount: 1,
  keyCount: 1,
  pipelineMax: 1,
  moveChance: 0,
};
/** Lists from which anything may go. */
const droppable: ReadonlySet<string> = new Set(['set', 'others', 'types', 'operations']);
/** Settings that are as in production where they are not named. */
const optional: ReadonlySet<string> = new Set(['timing', 'limits']);

/** Plans that are a step simpler than this one, the largest steps first, and first those that make a run shorter. */
export function* simpler(json: Json, name = ''): Generator<Json, void, undefined> {
  if (typeof json === 'number') return yield* smaller(json, smallest[name]);
  if (isList(json)) {
    if (droppable.has(name)) yield* shorter(json, name === 'operations' ? 1 : 0);
    for (const [at, element] of json.entries()) {
      if (typeof element !== 'object' || element === null) continue;
      for (const one of simpler(element)) yield json.map((other, index) => (index === at ? one : other));
    }
    return;
  }
  if (typeof json !== 'object' || json === null) return;
  if (optional.has(name)) {
    for (const kept of shorter(Object.keys(json), 0))
      yield Object.fromEntries((kept as string[]).map((key) => [key, json[key] as Json]));
    return;
  }
  for (const key of inOrder(Object.keys(json)))
    for (const one of simpler(json[key] as Json, key)) yield { ...json, [key]: one };
}

function* smaller(value: number, least: number | undefined): Generator<number, void, undefined> {
  if (least === undefined || value <= least) return;
  // The last step is of one where few are left, and does not count down from a thousand.
  const steps = [
    least,
    (value + least) / 2,
    value - (value - least) / 4,
    value - Math.max(1, Math.floor((value - least) / 16)),
  ];
  const whole = Number.isInteger(value) ? steps.map(Math.floor) : steps.slice(0, 2);
  yield* new Set(whole.filter((step) => step >= least && step < value));
}

/** Without the whole, a half, a quarter… and each one by itself. */
function* shorter(list: readonly Json[], countMin: number): Generator<readonly Json[], void, undefined> {
  for (let size = list.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < list.length; at += size) {
      const rest = [...list.slice(0, at), ...list.slice(at + size)];
      if (rest.length >= countMin) yield rest;
    }
  }
}

function inOrder(keys: readonly string[]): string[] {
  const ranks = Object.keys(smallest);
  const rank = (key: string): number => (ranks.includes(key) ? ranks.indexOf(key) : ranks.length);
  return [...keys].sort((a, b) => rank(a) - rank(b));
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}
