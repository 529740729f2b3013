import type { TextEdits } from '@skerry/client';

export type JsonObject = Record<string, unknown>;
type Path = readonly (string | number)[];
type Container = Record<string | number, unknown>;

/**
 * Makes `draft` equal to `wanted` with as few changes as it can tell, so that they merge with what others change
 * meanwhile: keys are compared one by one, lists by their equal beginning and end, and a text is changed where it differs.
 */
export function applyJson(draft: JsonObject, wanted: JsonObject, text: TextEdits, path: Path = []): void {
  for (const key of Object.keys(draft)) if (!Object.hasOwn(wanted, key)) delete draft[key];
  for (const [key, value] of Object.entries(wanted)) {
    if (Object.hasOwn(draft, key)) settle(draft, { key, wanted: value, path }, text);
    else draft[key] = value;
  }
}

function settle(
  container: Container,
  { key, wanted, path }: { readonly key: string | number; readonly wanted: unknown; readonly path: Path },
  text: TextEdits,
): void {
  const present = container[key];
  const here = [...path, key];
  if (isSame(present, wanted)) return;
  if (typeof present === 'string' && typeof wanted === 'string') text.update(here, wanted);
  else if (Array.isArray(present) && Array.isArray(wanted)) applyList(present, wanted, { text, path: here });
  else if (isObject(present) && isObject(wanted)) applyJson(present, wanted, text, here);
  else container[key] = wanted;
}

function applyList(
  draft: unknown[],
  wanted: readonly unknown[],
  { text, path }: { readonly text: TextEdits; readonly path: Path },
): void {
  const shorter = Math.min(draft.length, wanted.length);
  let start = 0;
  while (start < shorter && isSame(draft[start], wanted[start])) start++;
  let end = 0;
  while (end < shorter - start && isSame(draft.at(-1 - end), wanted.at(-1 - end))) end++;
  const replaced = draft.length - end - start;
  const replacing = wanted.length - end - start;
  const paired = Math.min(replaced, replacing);
  for (let i = start; i < start + paired; i++) {
    settle(draft as unknown as Container, { key: i, wanted: wanted[i], path }, text);
  }
  if (replaced > paired) draft.splice(start + paired, replaced - paired);
  else if (replacing > paired) draft.splice(start + paired, 0, ...wanted.slice(start + paired, start + replacing));
}

/** As JSON, where the order of keys says nothing. */
function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]));
}

/** Not a value of Automerge's own, such as a date, which JSON does not have. */
function isObject(value: unknown): value is JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
