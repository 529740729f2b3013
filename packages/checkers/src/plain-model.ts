/**
 * What a key may hold after many regions wrote it, computed from the meaning of its type alone (DESIGN section 5) and
 * from what the callers were told. It shares no code with the store: a dumb second opinion.
 */

/** What a call was to do. Values, elements of multi-value registers, fields and tokens are unique in all the run. */
export type Action =
  /** null deletes. */
  | { readonly type: 'register'; readonly value: string | null }
  | { readonly type: 'counter'; readonly amount: number }
  | { readonly type: 'set'; readonly action: 'add' | 'remove'; readonly element: string }
  | { readonly type: 'flag'; readonly enabled: boolean }
  /** Replaces exactly the values in `replaces`, which its caller had read. */
  | { readonly type: 'multi'; readonly value: string; readonly replaces: readonly string[] }
  /** Puts a field, or takes one away that its caller had read; inserts a token into the document's text. */
  | { readonly type: 'document'; readonly action: 'put' | 'take' | 'insert'; readonly name: string };

/** A write that took effect, or may have. What certainly did not is not among them. */
export interface Write {
  readonly key: string;
  readonly action: Action;
  /** Where it was sent; calls of one session go to one node, if `pinned`, or to any of its region. */
  readonly region: number;
  readonly session: number;
  readonly pinned: boolean;
  readonly consistent: boolean;
  /** It took effect at some moment between these; it is not known to have: no end. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly isApplied: boolean;
  /** Of registers: its final one; null: not known. Later ones sort higher. */
  readonly version: string | null;
}

/** A time in which a region neither sent nor received anything. */
export interface Isolation {
  readonly region: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a key shows. A key that is not there is null. */
export type Shown =
  | { readonly type: 'register'; readonly value: string; readonly version: string }
  | { readonly type: 'counter'; readonly total: bigint }
  | { readonly type: 'set'; readonly elements: ReadonlySet<string> }
  | { readonly type: 'flag'; readonly enabled: boolean }
  | { readonly type: 'multi'; readonly values: ReadonlySet<string> }
  | { readonly type: 'document'; readonly fields: ReadonlySet<string>; readonly tokens: readonly string[] };

export interface KeyHistory {
  readonly type: Action['type'];
  /** What all regions showed before the first of the writes. */
  readonly before: Shown | null;
  readonly writes: readonly Write[];
  readonly isolations: readonly Isolation[];
}

/** What of `after` cannot have come of the history; empty: it can. */
export function judgeKey(history: KeyHistory, after: Shown | null): string[] {
  const other = [history.before, after].find((shown) => shown !== null && shown.type !== history.type);
  if (other !== undefined) return [`a ${history.type} shows as a ${other?.type}`];
  switch (history.type) {
    case 'register':
      return judgeRegister(history, after as ShownOf<'register'> | null);
    case 'counter':
      return judgeCounter(history, after as ShownOf<'counter'> | null);
    case 'set':
      return judgeSet(history, after as ShownOf<'set'> | null);
    case 'flag':
      return judgeFlag(history, after as ShownOf<'flag'> | null);
    case 'multi':
      return judgeMulti(history, after as ShownOf<'multi'> | null);
    case 'document':
      return judgeDocument(history, after as ShownOf<'document'> | null);
  }
}

type ShownOf<T extends Shown['type']> = Extract<Shown, { readonly type: T }>;
type ActionOf<T extends Action['type']> = Extract<Action, { readonly type: T }>;

/** `later` certainly took effect where `earlier` was visible already. */
function certainlySaw(later: Write, earlier: Write): boolean {
  if (!earlier.isApplied || earlier.toMs >= later.fromMs) return false;
  if (earlier.region === later.region && earlier.consistent && later.consistent) return true;
  // One node shows its own writes, and promotes them before it serves a consistent call for their key.
  return earlier.session === later.session && earlier.pinned && !earlier.consistent;
}

/** `later` may have taken effect where `earlier` was visible. */
function mayHaveSeen(later: Write, earlier: Write, isolations: readonly Isolation[]): boolean {
  if (later.toMs < earlier.fromMs) return false;
  if (later.region === earlier.region) return true;
  return !isolations.some(
    ({ region, fromMs, toMs }) =>
      (region === later.region || region === earlier.region) && earlier.fromMs >= fromMs && later.toMs <= toMs,
  );
}

/** Last stamp wins. */
function judgeRegister({ before, writes }: KeyHistory, after: ShownOf<'register'> | null): string[] {
  const initial = before as ShownOf<'register'> | null;
  const isDelete = ({ action }: Write): boolean => (action as ActionOf<'register'>).value === null;
  const sets = writes.filter((write) => !isDelete(write));
  const deletes = writes.filter(isDelete);
  const settled = sets.filter(({ isApplied, version }) => isApplied && version !== null);
  const last = settled.reduce<Write | null>(
    (a, b) => (a === null || (b.version ?? '') > (a.version ?? '') ? b : a),
    null,
  );
  const lastVersion = [initial?.version ?? '', last?.version ?? ''].reduce((a, b) => (a > b ? a : b));
  if (after === null) {
    if (lastVersion === '' && sets.every(({ isApplied }) => !isApplied)) return [];
    const isAfterLast = (one: Write): boolean => {
      if (one.version !== null && one.isApplied) return one.version > lastVersion;
      return last === null || last.version !== lastVersion || !certainlySaw(last, one);
    };
    return deletes.some(isAfterLast)
      ? []
      : [`it is gone, but was set last at ${lastVersion} and not deleted after that`];
  }
  const writer = sets.find(({ action }) => (action as ActionOf<'register'>).value === after.value);
  const isInitial = initial?.value === after.value;
  if (writer === undefined && !isInitial) return [`it shows ${after.value}, which nobody wrote`];
  const problems: string[] = [];
  const known = writer?.version ?? (isInitial ? initial.version : null);
  if (known !== null && known !== after.version)
    problems.push(`${after.value} was written at ${known} and shows at ${after.version}`);
  if (after.version < lastVersion)
    problems.push(`it shows ${after.value} of ${after.version}, but was set at ${lastVersion}`);
  for (const one of deletes) {
    if (!one.isApplied) continue;
    const isLater =
      one.version === null ? writer === undefined || certainlySaw(one, writer) : one.version > after.version;
    if (isLater) problems.push(`it shows ${after.value}, but was deleted after that`);
  }
  return problems;
}

/** The sum of all increments. */
function judgeCounter({ before, writes }: KeyHistory, after: ShownOf<'counter'> | null): string[] {
  const amountOf = ({ action }: Write): bigint => BigInt((action as ActionOf<'counter'>).amount);
  const applied = writes.filter(({ isApplied }) => isApplied);
  let sums = new Set([(before as ShownOf<'counter'> | null)?.total ?? 0n]);
  sums = new Set([...sums].map((sum) => applied.reduce((total, write) => total + amountOf(write), sum)));
  for (const write of writes) {
    if (!write.isApplied) sums = new Set([...sums, ...[...sums].map((sum) => sum + amountOf(write))]);
  }
  const total = after?.total ?? 0n;
  if (sums.has(total)) return [];
  return [`its total is ${total}, not ${[...sums].slice(0, 8).join(' or ')}, with ${applied.length} increments`];
}

/** Add wins: an addition stays unless a removal saw it. */
function judgeSet(history: KeyHistory, after: ShownOf<'set'> | null): string[] {
  const initial = (history.before as ShownOf<'set'> | null)?.elements ?? new Set<string>();
  const shown = after?.elements ?? new Set<string>();
  const elementOf = ({ action }: Write): string => (action as ActionOf<'set'>).element;
  const all = new Set([...initial, ...shown, ...history.writes.map(elementOf)]);
  return [...all].flatMap((element) => {
    const mine = history.writes.filter((write) => elementOf(write) === element);
    const isAdd = ({ action }: Write): boolean => (action as ActionOf<'set'>).action === 'add';
    const problem = judgeObservedRemove(
      { adds: mine.filter(isAdd), removes: mine.filter((write) => !isAdd(write)), wasThere: initial.has(element) },
      { isThere: shown.has(element), isolations: history.isolations },
    );
    return problem === null ? [] : [`${element} ${problem}`];
  });
}

/** Enable wins: as a set of one element. */
function judgeFlag(history: KeyHistory, after: ShownOf<'flag'> | null): string[] {
  const isEnable = ({ action }: Write): boolean => (action as ActionOf<'flag'>).enabled;
  const problem = judgeObservedRemove(
    {
      adds: history.writes.filter(isEnable),
      removes: history.writes.filter((write) => !isEnable(write)),
      wasThere: (history.before as ShownOf<'flag'> | null)?.enabled ?? false,
    },
    { isThere: after?.enabled ?? false, isolations: history.isolations },
  );
  return problem === null ? [] : [`the enabled state ${problem}`];
}

function judgeObservedRemove(
  {
    adds,
    removes,
    wasThere,
  }: { readonly adds: readonly Write[]; readonly removes: readonly Write[]; readonly wasThere: boolean },
  { isThere, isolations }: { readonly isThere: boolean; readonly isolations: readonly Isolation[] },
): string | null {
  if (isThere) {
    const removed = removes.some(({ isApplied }) => isApplied);
    const canBeOld = wasThere && !removed;
    const canBeNew = adds.some((add) => !removes.some((remove) => remove.isApplied && certainlySaw(remove, add)));
    return canBeOld || canBeNew ? null : 'is there, but every addition of it was seen by a removal';
  }
  if (wasThere && removes.length === 0) return 'is gone, and was not removed';
  const survivor = adds.find((add) => add.isApplied && !removes.some((remove) => mayHaveSeen(remove, add, isolations)));
  return survivor === undefined
    ? null
    : `is gone, but no removal can have seen the addition of session ${survivor.session}`;
}

/** A write replaces what its caller had read, and nothing else. */
function judgeMulti({ before, writes }: KeyHistory, after: ShownOf<'multi'> | null): string[] {
  const initial = (before as ShownOf<'multi'> | null)?.values ?? new Set<string>();
  const shown = after?.values ?? new Set<string>();
  const actionOf = ({ action }: Write): ActionOf<'multi'> => action as ActionOf<'multi'>;
  const applied = writes.filter(({ isApplied }) => isApplied);
  const replaced = new Set(applied.flatMap((write) => actionOf(write).replaces));
  const mayBeReplaced = new Set(writes.flatMap((write) => actionOf(write).replaces));
  const mayBe = new Set([...initial, ...writes.map((write) => actionOf(write).value)]);
  const must = [...initial, ...applied.map((write) => actionOf(write).value)].filter(
    (value) => !mayBeReplaced.has(value),
  );
  return [
    ...[...shown].filter((value) => !mayBe.has(value)).map((value) => `it shows ${value}, which nobody wrote`),
    ...[...shown].filter((value) => replaced.has(value)).map((value) => `it shows ${value}, which was replaced`),
    ...must.filter((value) => !shown.has(value)).map((value) => `${value} is gone, and nobody replaced it`),
  ];
}

/** The union of all edits, each once. */
function judgeDocument({ before, writes }: KeyHistory, after: ShownOf<'document'> | null): string[] {
  const initial = before as ShownOf<'document'> | null;
  const problems: string[] = [];
  const names = (action: ActionOf<'document'>['action'], only: readonly Write[] = writes): string[] =>
    only.flatMap((write) => {
      const edit = write.action as ActionOf<'document'>;
      return edit.action === action ? [edit.name] : [];
    });
  const applied = writes.filter(({ isApplied }) => isApplied);
  const fields = after?.fields ?? new Set<string>();
  const taken = new Set(names('take', applied));
  const mayBeTaken = new Set(names('take'));
  const mayBe = new Set([...(initial?.fields ?? []), ...names('put')]);
  for (const name of fields) {
    if (!mayBe.has(name)) problems.push(`it has the field ${name}, which nobody put there`);
    if (taken.has(name)) problems.push(`it has the field ${name}, which was taken away`);
  }
  for (const name of [...(initial?.fields ?? []), ...names('put', applied)]) {
    if (!mayBeTaken.has(name) && !fields.has(name)) problems.push(`the field ${name} is gone, and nobody took it away`);
  }
  const tokens = after?.tokens ?? [];
  const mayBeIn = new Set([...(initial?.tokens ?? []), ...names('insert')]);
  const found = new Set(tokens);
  if (found.size < tokens.length) problems.push(`its text has a token twice: ${tokens.join(' ')}`);
  for (const token of found) if (!mayBeIn.has(token)) problems.push(`its text has ${token}, which nobody inserted`);
  for (const token of [...(initial?.tokens ?? []), ...names('insert', applied)]) {
    if (!found.has(token)) problems.push(`its text has lost ${token}`);
  }
  return problems;
}
