import { DecodeError, type ByteReader, type ByteWriter } from '@skerry/base';
import { readSigned, readUnsigned, writeSigned, writeUnsigned } from './wide-integers.ts';

/** Sums over all increments of one generation (see `counter.ts`) with a sequence up to `upTo`. Both sums only grow. */
export interface CounterPrefix {
  /** 0: there is no prefix. */
  readonly upTo: number;
  readonly plus: bigint;
  readonly minus: bigint;
}

/**
 * Increments of one generation: those of a prefix as sums, those above it one by one. A prefix means *every* increment of that
 * generation up to there, so of two prefixes the longer contains the shorter and needs no comparison of sums; an increment that
 * arrives late, above or below others, is still counted exactly once. So a prefix begins with the first increment and with no
 * other: where that is missing, it was here and is forgotten, perhaps, and others with it.
 */
export interface IncrementSet {
  readonly prefix: CounterPrefix;
  /** Sequence (above the prefix) to amount. */
  readonly beyond: ReadonlyMap<number, bigint>;
}

export interface Generation {
  readonly seen: IncrementSet;
  /** The increments that resets and deletes have observed: a subset of `seen` that no longer counts. */
  readonly reset: IncrementSet;
}

const noPrefix: CounterPrefix = { upTo: 0, plus: 0n, minus: 0n };
export const noIncrements: IncrementSet = { prefix: noPrefix, beyond: new Map() };

export function beginning(sequence: number, amount: bigint): IncrementSet {
  return { prefix: extended(noPrefix, sequence, amount), beyond: new Map() };
}

export function loneIncrement(sequence: number, amount: bigint): IncrementSet {
  return { prefix: noPrefix, beyond: new Map([[sequence, amount]]) };
}

export function holds({ prefix, beyond }: IncrementSet, sequence: number): boolean {
  return sequence <= prefix.upTo || beyond.has(sequence);
}

/** The dot stays known, and counts nothing. */
export function without({ prefix, beyond }: IncrementSet, sequence: number, amount: bigint): IncrementSet {
  if (sequence <= prefix.upTo) {
    const counted =
      amount >= 0n ? { ...prefix, plus: prefix.plus - amount } : { ...prefix, minus: prefix.minus + amount };
    return { prefix: counted, beyond };
  }
  return { prefix, beyond: new Map([...beyond].filter(([other]) => other !== sequence)) };
}

export function total(set: IncrementSet): bigint {
  const { plus, minus } = sums(set);
  return plus - minus;
}

export function sums({ prefix, beyond }: IncrementSet): { plus: bigint; minus: bigint } {
  let { plus, minus } = prefix;
  for (const amount of beyond.values()) {
    if (amount >= 0n) plus += amount;
    else minus -= amount;
  }
  return { plus, minus };
}

/** Nothing of it counts. What was reset is a subset, and increments of one sign only add up. */
export function isReset({ seen, reset }: Generation): boolean {
  const [all, gone] = [sums(seen), sums(reset)];
  return all.plus === gone.plus && all.minus === gone.minus;
}

export function mergeGenerations(a: Generation, b: Generation): Generation {
  return { seen: union(a.seen, b.seen), reset: union(a.reset, b.reset) };
}

export function union(a: IncrementSet, b: IncrementSet): IncrementSet {
  const prefix = longerPrefix(a.prefix, b.prefix);
  const beyond = new Map<number, bigint>();
  for (const [sequence, amount] of [...a.beyond, ...b.beyond]) {
    if (sequence <= prefix.upTo) continue;
    const known = beyond.get(sequence);
    // Two amounts under one dot: a replica id was used twice. The larger is taken everywhere, as in DotStore.
    beyond.set(sequence, known === undefined || amount > known ? amount : known);
  }
  return foldContiguous({ prefix, beyond });
}

/** Equal lengths mean equal sums, unless a replica id was used twice; the larger sums are taken everywhere then. */
function longerPrefix(a: CounterPrefix, b: CounterPrefix): CounterPrefix {
  if (a.upTo !== b.upTo) return a.upTo > b.upTo ? a : b;
  if (a.plus !== b.plus) return a.plus > b.plus ? a : b;
  return a.minus >= b.minus ? a : b;
}

function foldContiguous(set: IncrementSet): IncrementSet {
  if (set.prefix.upTo === 0 || !set.beyond.has(set.prefix.upTo + 1)) return set;
  let prefix = set.prefix;
  const beyond = new Map(set.beyond);
  for (let next = prefix.upTo + 1; beyond.has(next); next++) {
    prefix = extended(prefix, next, beyond.get(next) as bigint);
    beyond.delete(next);
  }
  return { prefix, beyond };
}

/** Extends the prefixes, where they have begun, up to there. The caller knows that no increment up to there is still to come. */
export function foldUpTo({ seen, reset }: Generation, upTo: number): Generation {
  if (seen.prefix.upTo === 0 || upTo <= seen.prefix.upTo) return { seen, reset };
  const below = [...seen.beyond.keys()].filter((sequence) => sequence <= upTo).sort((x, y) => x - y);
  let prefix = seen.prefix;
  // The reset prefix can follow as long as it holds everything that the seen one does.
  let resetPrefix = reset.prefix;
  let resetFollows = resetPrefix.upTo === prefix.upTo;
  const resetBeyond = new Map(reset.beyond);
  for (const sequence of below) {
    const amount = seen.beyond.get(sequence) as bigint;
    prefix = extended(prefix, sequence, amount);
    resetFollows &&= resetBeyond.delete(sequence);
    if (resetFollows) resetPrefix = extended(resetPrefix, sequence, amount);
  }
  if (resetFollows) resetPrefix = { ...resetPrefix, upTo };
  const beyond = new Map([...seen.beyond].filter(([sequence]) => sequence > upTo));
  return {
    seen: foldContiguous({ prefix: { ...prefix, upTo }, beyond }),
    reset: foldContiguous({ prefix: resetPrefix, beyond: resetBeyond }),
  };
}

function extended(prefix: CounterPrefix, upTo: number, amount: bigint): CounterPrefix {
  if (amount >= 0n) return { upTo, plus: prefix.plus + amount, minus: prefix.minus };
  return { upTo, plus: prefix.plus, minus: prefix.minus - amount };
}

export function encodeIncrements(w: ByteWriter, { prefix, beyond }: IncrementSet): void {
  w.varint(prefix.upTo);
  writeUnsigned(w, prefix.plus);
  writeUnsigned(w, prefix.minus);
  w.varint(beyond.size);
  for (const [sequence, amount] of [...beyond].sort(([a], [b]) => a - b)) {
    w.varint(sequence);
    writeSigned(w, amount);
  }
}

export function decodeIncrements(r: ByteReader): IncrementSet {
  const prefix: CounterPrefix = { upTo: r.varint(), plus: readUnsigned(r), minus: readUnsigned(r) };
  if (prefix.upTo === 0 && (prefix.plus !== 0n || prefix.minus !== 0n)) throw new DecodeError('sums of no increments');
  const beyond = new Map<number, bigint>();
  let previous = prefix.upTo === 0 ? 0 : prefix.upTo + 1; // the next in line would have been folded
  const count = r.count(2);
  for (let i = 0; i < count; i++) {
    const sequence = r.varint();
    if (sequence <= previous) throw new DecodeError('increments are out of order');
    beyond.set(sequence, readSigned(r));
    previous = sequence;
  }
  return { prefix, beyond };
}
