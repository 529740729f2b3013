import type { CallOptions, Change, ConflictRecord, Database } from '../database.ts';

/** The new writes by which what lost stands again, or why there are none. */
export type Restoration =
  | { readonly kind: 'set'; readonly value: Uint8Array }
  | { readonly kind: 'delete' }
  | { readonly kind: 'changes'; readonly changes: readonly Change[] }
  | { readonly kind: 'impossible'; readonly why: string };

export function restorationOf({ loser }: ConflictRecord): Restoration {
  switch (loser?.type) {
    case undefined:
      return { kind: 'delete' };
    case 'register':
      return { kind: 'set', value: loser.value };
    case 'multiRegister':
      return changes(loser.values.map((value) => ({ type: 'multiRegister', value, context: null })));
    case 'counter':
      if (loser.total === 0n) return impossible('it took back additions, and which ones is not kept');
      return changes([{ type: 'counter', action: 'add', amount: loser.total }]);
    case 'set':
      if (loser.elements.length === 0) return impossible('it took elements out, and which ones is not kept');
      return changes(loser.elements.map((element) => ({ type: 'set', action: 'add', element })));
    case 'flag':
      return changes([{ type: 'flag', action: loser.enabled ? 'enable' : 'disable' }]);
    case 'document':
      return changes(loser.chunks.map((chunk) => ({ type: 'document', changes: chunk })));
  }
}

/** Writes it to `key`. Answers the last write's result, or the first that is not valid. */
export async function restore(
  db: Database,
  { key, restoration }: { readonly key: string; readonly restoration: Exclude<Restoration, { kind: 'impossible' }> },
  options: CallOptions & { readonly consistent: boolean },
): ReturnType<Database['update']> {
  if (restoration.kind !== 'changes') {
    const { value: _, ...result } =
      restoration.kind === 'set' ? await db.set(key, restoration.value, options) : await db.delete(key, options);
    return { ...result, view: null };
  }
  const [first, ...rest] = restoration.changes;
  if (first === undefined) throw new Error('a restoration without a change');
  let result = await db.update(key, first, options);
  for (const change of rest) {
    if (!result.valid) break;
    result = await db.update(key, change, options);
  }
  return result;
}

function changes(all: readonly Change[]): Restoration {
  return { kind: 'changes', changes: all };
}

function impossible(why: string): Restoration {
  return { kind: 'impossible', why };
}
