import type { CausalContext } from './context.ts';
import { counterSum } from './counter.ts';
import { documentChunks } from './document.ts';
import { flagEnabled } from './flag.ts';
import { multiRegisterView, type Sibling } from './multi-register.ts';
import { setElements, setHasElement } from './set.ts';
import { visiblePart, type Part, type Value, type ValueType } from './value.ts';

/*
 * What users see of a key. Every view answers null when the key is missing, deleted or visible as another type; who
 * must tell these apart asks `valueType` first.
 */

export function registerValue(value: Value | null): Uint8Array | null {
  return visibleAs(value, 'register')?.value ?? null;
}

/** The concurrent values in order of their stamps, and the context that the next write names to replace them. */
export function multiRegisterValues(
  value: Value | null,
): { siblings: readonly Sibling[]; context: CausalContext } | null {
  const part = visibleAs(value, 'multiRegister');
  return part === null ? null : multiRegisterView(part);
}

export function counterTotal(value: Value | null): bigint | null {
  const part = visibleAs(value, 'counter');
  return part === null ? null : counterSum(part);
}

/** The elements in byte order. */
export function setValues(value: Value | null): readonly Uint8Array[] | null {
  const part = visibleAs(value, 'set');
  return part === null ? null : setElements(part);
}

export function setHas(value: Value | null, element: Uint8Array): boolean | null {
  const part = visibleAs(value, 'set');
  return part === null ? null : setHasElement(part, element);
}

export function flagValue(value: Value | null): boolean | null {
  const part = visibleAs(value, 'flag');
  return part === null ? null : flagEnabled(part);
}

/** What a `DocumentEngine` reads, edits or compacts, and the context that a compaction of exactly this names. */
export function documentValue(
  value: Value | null,
): { chunks: readonly Uint8Array[]; context: CausalContext; operations: number } | null {
  const part = visibleAs(value, 'document');
  return part === null ? null : documentChunks(part);
}

function visibleAs<T extends ValueType>(value: Value | null, type: T): Extract<Part, { type: T }> | null {
  const part = value === null ? null : visiblePart(value);
  return part !== null && part.type === type ? (part as Extract<Part, { type: T }>) : null;
}
