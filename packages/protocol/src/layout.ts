import { isName } from '@skerry/base';
import type { ErrorCode } from './errors.ts';
import { invalidText, type Wire } from './wire.ts';

/**
 * Why a message is not taken. Thrown inside the codec only: of a request that is bad by itself it becomes that
 * request's answer, of anything else the end of the connection.
 */
export class Refusal extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, detail: string) {
    super(detail);
    this.code = code;
  }
}

/** How one type of field stands in a positional array. `read` throws {@link Refusal} on everything that `schemas.ts` refuses. */
export interface Field<T> {
  /** For docs/protocol.md. */
  readonly name: string;
  readonly write: (value: T) => Wire;
  readonly read: (wire: Wire | undefined) => T;
}

export interface OptionalField<T> extends Field<T> {
  readonly optional: true;
}

type Fields<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? OptionalField<Exclude<T[K], undefined>>
    : Field<T[K]>;
};

const same = <T extends Wire>(value: T): Wire => value;

function bad(expected: string): Refusal {
  return new Refusal('BAD_REQUEST', `expected ${expected}`);
}

export const bool: Field<boolean> = {
  name: 'boolean',
  write: same,
  read: (wire) => {
    if (typeof wire !== 'boolean') throw bad('a boolean');
    return wire;
  },
};

/** A field that is there, as true, or absent. */
export const yes: Field<true> = {
  name: 'true',
  write: same,
  read: (wire) => {
    if (wire !== true) throw bad('true');
    return wire;
  },
};

/** Any finite number. */
export const finite: Field<number> = {
  name: 'number',
  write: same,
  read: (wire) => {
    if (typeof wire !== 'number' || !Number.isFinite(wire)) throw bad('a number');
    return wire;
  },
};

/** A safe integer from `min` to `max`; of either sign if neither is given. */
export function integer(min: number = Number.MIN_SAFE_INTEGER, max: number = Number.MAX_SAFE_INTEGER): Field<number> {
  const name =
    min === Number.MIN_SAFE_INTEGER
      ? 'integer'
      : max === Number.MAX_SAFE_INTEGER
        ? `integer ≥ ${min}`
        : `integer ${min} to ${max}`;
  return {
    name,
    write: same,
    read: (wire) => {
      if (!Number.isSafeInteger(wire) || (wire as number) < min || (wire as number) > max) throw bad(name);
      return wire as number;
    },
  };
}

export const text: Field<string> = {
  name: 'text',
  write: same,
  read: (wire) => {
    if (typeof wire !== 'string' || wire === invalidText) throw bad('UTF-8 text');
    return wire;
  },
};

/** A text that names keys, so that its error says so. */
export const keyText: Field<string> = {
  name: 'key',
  write: same,
  read: (wire) => {
    if (typeof wire !== 'string') throw bad('a key');
    if (wire === invalidText) throw new Refusal('KEY_NOT_UTF8', 'the key is not UTF-8');
    return wire;
  },
};

/** A text that `test` takes, branded as `T`. */
export function checkedText<T extends string>(name: string, test: (value: string) => boolean): Field<T> {
  return {
    name,
    write: same,
    read: (wire) => {
      if (typeof wire !== 'string' || !test(wire)) throw bad(`a ${name}`);
      return wire as T;
    },
  };
}

export const binary: Field<Uint8Array> = {
  name: 'bytes',
  write: same,
  read: (wire) => {
    if (!(wire instanceof Uint8Array)) throw bad('bytes');
    return wire;
  },
};

/** One of a few texts, as its position in the list. */
export function oneOf<T extends string>(...texts: readonly T[]): Field<T> {
  const expected = texts.map((choice, at) => `${at} ${choice}`).join(', ');
  return {
    name: `one of ${expected}`,
    write: (value) => texts.indexOf(value),
    read: (wire) => {
      const value = typeof wire === 'number' ? texts[wire] : undefined;
      if (value === undefined) throw bad(`one of ${expected}`);
      return value;
    },
  };
}

export function nullable<T>(field: Field<T>): Field<T | null> {
  return {
    name: `${field.name} or nil`,
    write: (value) => (value === null ? null : field.write(value)),
    read: (wire) => (wire === null ? null : field.read(wire)),
  };
}

/** A field that may be absent, which is nil on the wire; not for types that have null themselves. */
export function optional<T>(field: Field<T>): OptionalField<T> {
  return { ...field, name: `${field.name}, nil if absent`, optional: true };
}

export function list<T>(field: Field<T>): Field<readonly T[]> {
  return {
    name: `array of ${field.name}`,
    write: (values) => values.map((value) => field.write(value)),
    read: (wire) => {
      if (!Array.isArray(wire)) throw bad(`an array of ${field.name}`);
      return wire.map((element: Wire) => field.read(element));
    },
  };
}

export interface RecordField<T> extends Field<T> {
  /** For docs/protocol.md: name and type of every field. */
  readonly fields: readonly (readonly [string, string])[];
}

/** An object as an array of its fields in the order given. */
export function record<T extends object>(name: string, fields: Fields<T>): RecordField<T> {
  const plan = planOf(fields);
  return {
    name,
    fields: namesOf(plan),
    write: (value) => writeFields(plan, value, []),
    read: (wire) => {
      if (!Array.isArray(wire)) throw bad(`an array for ${name}`);
      return readFields(plan, wire, 0, {}) as T;
    },
  };
}

type KindAlternatives<T extends { readonly kind: string }> = {
  readonly [K in T['kind']]: readonly [tag: number, fields: Fields<Omit<Extract<T, { readonly kind: K }>, 'kind'>>];
};

interface Typed {
  readonly type: string;
  readonly action?: string;
}
type ActionNames<T extends Typed> = T extends {
  readonly type: infer K extends string;
  readonly action: infer A extends string;
}
  ? `${K}.${A}`
  : T['type'];
type OfName<T extends Typed, Name extends string> = T extends Typed ? (Name extends ActionNames<T> ? T : never) : never;
type TypeAlternatives<T extends Typed> = {
  readonly [Name in ActionNames<T>]: readonly [tag: number, fields: Fields<Omit<OfName<T, Name>, 'type' | 'action'>>];
};

export interface UnionField<T> extends Field<T> {
  /** For docs/protocol.md: name, tag and fields of every alternative. */
  readonly alternatives: readonly {
    readonly kind: string;
    readonly tag: number;
    readonly fields: readonly (readonly [string, string])[];
  }[];
}

/** Objects told apart by `kind`, each as an array of its tag and its fields. Tags are part of the protocol: never reuse one. */
export function union<T extends { readonly kind: string }>(
  name: string,
  alternatives: KindAlternatives<T>,
  unknown: ErrorCode = 'BAD_REQUEST',
): UnionField<T> {
  return unionOf<T>({ name, unknown, alternatives, nameOf: ({ kind }) => kind, begin: (kind) => ({ kind }) });
}

/** The same for objects that are told apart by `type` and, where a type has several, `action`: `type.action`. */
export function typeUnion<T extends Typed>(name: string, alternatives: TypeAlternatives<T>): UnionField<T> {
  return unionOf<T>({
    name,
    unknown: 'BAD_REQUEST',
    alternatives,
    nameOf: ({ type, action }) => (action === undefined ? type : `${type}.${action}`),
    begin: (alternative) => {
      const [type, action] = alternative.split('.') as [string, string | undefined];
      return action === undefined ? { type } : { type, action };
    },
  });
}

interface UnionPlan<T> {
  readonly name: string;
  /** Of an alternative that is not there. */
  readonly unknown: ErrorCode;
  readonly alternatives: object;
  readonly nameOf: (value: T) => string;
  /** A new object of that alternative, without its fields. */
  readonly begin: (alternative: string) => Record<string, unknown>;
}

function unionOf<T extends object>({ name, unknown, alternatives, nameOf, begin }: UnionPlan<T>): UnionField<T> {
  const byKind = new Map<string, { tag: number; kind: string; plan: Plan }>();
  const byTag: { tag: number; kind: string; plan: Plan }[] = [];
  for (const [kind, [tag, fields]] of Object.entries(alternatives) as [string, readonly [number, Fields<object>]][]) {
    const alternative = { tag, kind, plan: planOf(fields) };
    byKind.set(kind, alternative);
    byTag[tag] = alternative;
  }
  return {
    name,
    alternatives: byTag.map(({ kind, tag, plan }) => ({ kind, tag, fields: namesOf(plan) })),
    write: (value) => {
      const alternative = byKind.get(nameOf(value));
      if (alternative === undefined) throw new Refusal(unknown, `unknown ${name} ${nameOf(value)}`);
      return writeFields(alternative.plan, value, [alternative.tag]);
    },
    read: (wire) => {
      if (!Array.isArray(wire)) throw bad(`an array for ${name}`);
      const tag: unknown = wire[0];
      const alternative = typeof tag === 'number' ? byTag[tag] : undefined;
      if (alternative === undefined) throw new Refusal(unknown, `unknown ${name} ${String(tag)}`);
      return readFields(alternative.plan, wire, 1, begin(alternative.kind)) as T;
    },
  };
}

type Plan = readonly { readonly key: string; readonly field: Field<unknown>; readonly optional: boolean }[];

function planOf(fields: object): Plan {
  return (Object.entries(fields) as [string, Field<unknown>][]).map(([key, field]) => ({
    key,
    field,
    optional: 'optional' in field,
  }));
}

function namesOf(plan: Plan): readonly (readonly [string, string])[] {
  return plan.map(({ key, field }) => [key, field.name] as const);
}

function writeFields(plan: Plan, value: object, into: Wire[]): Wire[] {
  for (const { key, field } of plan) {
    const fieldValue = (value as Record<string, unknown>)[key];
    into.push(fieldValue === undefined ? null : field.write(fieldValue));
  }
  return into;
}

function readFields(plan: Plan, wire: readonly Wire[], start: number, into: Record<string, unknown>): object {
  if (wire.length > start + plan.length)
    throw new Refusal('UNKNOWN_FIELD', `${wire.length - start} fields where ${plan.length} are known`);
  for (let i = 0; i < plan.length; i++) {
    const { key, field, optional: absent } = plan[i] as Plan[number];
    const element = wire[start + i];
    if (absent && element === null) continue;
    try {
      into[key] = field.read(element);
    } catch (error) {
      if (error instanceof Refusal) throw new Refusal(error.code, `${key}: ${error.message}`);
      throw error;
    }
  }
  return into;
}

export const name: <T extends string>(what: string) => Field<T> = (what) => checkedText(`${what} name`, isName);
