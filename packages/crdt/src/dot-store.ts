import { compareBytes, ByteWriter, DecodeError, type ByteReader } from '@skerry/base';
import { CausalContext } from './context.ts';
import { compareDots, decodeDot, dotBytesMin, dotToText, encodeDot, type Dot } from './dot.ts';

export interface DotEntry<T> {
  readonly dot: Dot;
  readonly payload: T;
}

/**
 * What observed-remove types have in common (Almeida, Shoker and Baquero 2018, "causal CRDTs"): the writes that are
 * still alive, each under its dot, and the context of all dots ever seen. A dot that is in the context but not among
 * the entries was removed; that is all that a remove leaves behind, so there are no tombstones per element.
 *
 * Immutable. Invariant: every entry's dot is in the context.
 */
export interface DotStore<T> {
  /** By {@link dotToText}. */
  readonly entries: ReadonlyMap<string, DotEntry<T>>;
  readonly context: CausalContext;
}

export interface PayloadCodec<T> {
  encode(w: ByteWriter, payload: T): void;
  decode(r: ByteReader): T;
}

/**
 * The delta of one write: its own dot with a payload, in place of the dots in `observed`. Merging it into a state
 * applies it, in any order and any number of times.
 */
export function writeDelta<T>(dot: Dot, payload: T, observed: readonly Dot[]): DotStore<T> {
  return { entries: new Map([[dotToText(dot), { dot, payload }]]), context: CausalContext.of([...observed, dot]) };
}

/** The delta of one remove: nothing but its own dot, in place of the dots in `observed`. */
export function removeDelta<T>(dot: Dot, observed: readonly Dot[]): DotStore<T> {
  return { entries: new Map(), context: CausalContext.of([...observed, dot]) };
}

/** An entry survives if both sides have it, or if one has it and the other has not seen it. */
export function mergeStores<T>(a: DotStore<T>, b: DotStore<T>, codec: PayloadCodec<T>): DotStore<T> {
  const entries = new Map(a.entries);
  for (const [key, mine] of a.entries) {
    const theirs = b.entries.get(key);
    if (theirs !== undefined) entries.set(key, agreed(mine, theirs, codec));
    else if (b.context.has(mine.dot)) entries.delete(key);
  }
  for (const [key, theirs] of b.entries) {
    if (!a.entries.has(key) && !a.context.has(theirs.dot)) entries.set(key, theirs);
  }
  const context = a.context.clone();
  context.merge(b.context);
  return { entries, context };
}

/** The entries of `before` that are gone from `after`. */
export function removedEntries<T>(before: DotStore<T>, after: DotStore<T>): readonly DotEntry<T>[] {
  return [...before.entries.values()].filter((entry) => !after.entries.has(dotToText(entry.dot)));
}

/**
 * The same store with its context rounded up: `seen` holds only dots whose effect, if it concerns this key, is
 * already in the store, so for the replicas of this key its contiguous prefixes can replace exceptions (the
 * node-wide clocks of Gonçalves et al. 2015).
 */
export function compactStore<T>(store: DotStore<T>, seen: CausalContext): DotStore<T> {
  const context = store.context.clone();
  for (const replica of store.context.replicas()) {
    const prefix = seen.maxOf(replica);
    if (prefix > 0) context.addRange(replica, 1, prefix);
  }
  return { entries: store.entries, context };
}

export function sortedEntries<T>(store: DotStore<T>): readonly DotEntry<T>[] {
  return [...store.entries.values()].sort((a, b) => compareDots(a.dot, b.dot));
}

export function sortedDots<T>(store: DotStore<T>): readonly Dot[] {
  return sortedEntries(store).map((entry) => entry.dot);
}

export function encodeStore<T>(w: ByteWriter, store: DotStore<T>, codec: PayloadCodec<T>): void {
  store.context.encode(w);
  w.varint(store.entries.size);
  for (const { dot, payload } of sortedEntries(store)) {
    encodeDot(w, dot);
    codec.encode(w, payload);
  }
}

export function decodeStore<T>(r: ByteReader, codec: PayloadCodec<T>): DotStore<T> {
  const context = CausalContext.decode(r);
  const entries = new Map<string, DotEntry<T>>();
  const dots = decodeSorted(r, () => {
    const dot = decodeDot(r);
    if (!context.has(dot)) throw new DecodeError(`dot ${dotToText(dot)} is not in its context`);
    entries.set(dotToText(dot), { dot, payload: codec.decode(r) });
    return dot;
  });
  if (dots.length !== entries.size) throw new DecodeError('a dot is repeated');
  return { entries, context };
}

export function encodeDots(w: ByteWriter, dots: readonly Dot[]): void {
  w.varint(dots.length);
  for (const dot of dots) encodeDot(w, dot);
}

export function decodeDots(r: ByteReader): readonly Dot[] {
  return decodeSorted(r, () => decodeDot(r));
}

function decodeSorted(r: ByteReader, next: () => Dot): readonly Dot[] {
  const count = r.count(dotBytesMin);
  const dots: Dot[] = [];
  for (let i = 0; i < count; i++) {
    const dot = next();
    const previous = dots[i - 1];
    if (previous !== undefined && compareDots(previous, dot) >= 0) throw new DecodeError('dots are out of order');
    dots.push(dot);
  }
  return dots;
}

/**
 * One dot names one write, so both payloads are equal, unless a replica id was used twice (a data folder restored
 * from an old copy). Then the larger bytes win everywhere: the fault costs one write and never convergence.
 */
function agreed<T>(a: DotEntry<T>, b: DotEntry<T>, codec: PayloadCodec<T>): DotEntry<T> {
  if (a.payload === b.payload) return a;
  const bytesOf = (payload: T): Uint8Array => {
    const w = new ByteWriter();
    codec.encode(w, payload);
    return w.finish();
  };
  return compareBytes(bytesOf(a.payload), bytesOf(b.payload)) >= 0 ? a : b;
}
