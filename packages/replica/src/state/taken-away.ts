import { compareText, DecodeError, replicaId, type ByteReader, type ByteWriter, type ReplicaId } from '@skerry/base';
import {
  CausalContext,
  loneIncrement,
  type Dot,
  type ObservedIncrements,
  type Operation,
  type OperationBody,
} from '@skerry/crdt';

type DeletedPart = Extract<OperationBody, { type: 'delete' }>['parts'][number];

/** Of the increments that a generation of a replica sums up, all up to `upTo`. */
interface Sum {
  readonly replica: ReplicaId;
  readonly generation: number;
  readonly upTo: number;
}

/**
 * Effects that writes of this state have taken away, and that it has not seen: if they come as an offer, it is when the tombstone
 * may be forgotten (I11). Nearly always dots. A counter sums up its increments, and which dots a sum is made of is not known any
 * more: of those stands here that all increments of a key and a replica's generation up to a sequence are gone.
 */
export class TakenAway {
  readonly #dots: CausalContext;
  /** By key, then by replica and generation. */
  readonly #sums: Map<string, Map<string, Sum>>;

  private constructor(dots: CausalContext, sums: Map<string, Map<string, Sum>>) {
    this.#dots = dots;
    this.#sums = sums;
  }

  static empty(): TakenAway {
    return new TakenAway(CausalContext.empty(), new Map());
  }

  /** A write of `key` takes effect. What it takes away and `context` holds has been here: it comes no more. */
  note(key: string, body: OperationBody, context: CausalContext): void {
    for (const dot of takenAway(body)) if (!context.has(dot)) this.#dots.add(dot);
    for (const sum of takenSums(body)) if (!isSeen(sum, context)) this.#addSum(key, sum);
  }

  /** The write comes after one that took it away. The caller knows that it has not been here. */
  has(key: string, { dot, body }: Operation): boolean {
    if (this.#dots.has(dot)) return true;
    if (body.type !== 'counter' || body.action !== 'add') return false;
    const sum = this.#sums.get(key)?.get(nameOf({ replica: dot.replica, generation: body.generation }));
    return (sum?.upTo ?? 0) >= dot.sequence;
  }

  /** Without what `context` holds. */
  without(context: CausalContext): TakenAway {
    const sums = Array.from(this.#sums, ([key, ofKey]) => {
      const left = Array.from(ofKey).filter(([, sum]) => !isSeen(sum, context));
      return [key, new Map(left)] as const;
    });
    return new TakenAway(this.#dots.minus(context), new Map(sums.filter(([, ofKey]) => ofKey.size > 0)));
  }

  merge(other: TakenAway): void {
    this.#dots.merge(other.#dots);
    for (const [key, ofKey] of other.#sums) for (const sum of ofKey.values()) this.#addSum(key, sum);
  }

  clone(): TakenAway {
    const copy = TakenAway.empty();
    copy.merge(this);
    return copy;
  }

  /** The dots, then `key=replica:generation-upTo`, in order. */
  toText(): string {
    const textOf = ({ replica, generation, upTo }: Sum): string =>
      `${replica.toString(16).padStart(12, '0')}:${generation}-${upTo}`;
    const sums = this.#sorted().map(([key, ofKey]) => `${key}=${ofKey.map(textOf).join(',')}`);
    return [...(this.#dots.isEmpty ? [] : [this.#dots.toText()]), ...sums].join(' ');
  }

  /** One encoding for equal contents. */
  encode(writer: ByteWriter): void {
    this.#dots.encode(writer);
    writer.varint(this.#sums.size);
    for (const [key, ofKey] of this.#sorted()) {
      writer.text(key).varint(ofKey.length);
      for (const { replica, generation, upTo } of ofKey) writer.u48(replica).varint(generation).varint(upTo);
    }
  }

  static decode(reader: ByteReader): TakenAway {
    const taken = new TakenAway(CausalContext.decode(reader), new Map());
    for (let keys = reader.count(); keys > 0; keys--) {
      const key = reader.text();
      const count = reader.count();
      if (count === 0 || taken.#sums.has(key)) throw new DecodeError('a key without increments, or named twice');
      for (let left = count; left > 0; left--)
        taken.#addSum(key, { replica: replicaId(reader.u48()), generation: reader.varint(), upTo: reader.varint() });
    }
    return taken;
  }

  #addSum(key: string, sum: Sum): void {
    const ofKey = this.#sums.get(key) ?? new Map<string, Sum>();
    this.#sums.set(key, ofKey);
    const name = nameOf(sum);
    if ((ofKey.get(name)?.upTo ?? 0) < sum.upTo) ofKey.set(name, sum);
  }

  #sorted(): (readonly [string, readonly Sum[]])[] {
    return Array.from(
      this.#sums,
      ([key, ofKey]) =>
        [key, [...ofKey.values()].sort((a, b) => a.replica - b.replica || a.generation - b.generation)] as const,
    ).sort(([a], [b]) => compareText(a, b));
  }
}

/** True if a write takes something away that `context` does not hold: whoever has that must hear of it. */
export function takesUnseen(body: OperationBody, context: CausalContext): boolean {
  return takenAway(body).some((dot) => !context.has(dot)) || takenSums(body).some((sum) => !isSeen(sum, context));
}

/**
 * What is left of a write that was taken away before it came: a delete of what it took away itself, since whoever took it away
 * names it alone. An increment may be summed up by whoever took it away, so it is counted and taken away here as well. By
 * itself: others of its generation may have come, and be forgotten. null: nothing.
 */
export function leftOf(op: Operation): Operation | null {
  const { dot, body } = op;
  switch (body.type) {
    case 'register':
      return body.replaces === null ? null : deleteOf(op, { type: 'register', replaces: body.replaces });
    case 'multiRegister': {
      // In order: those that the writer named, and those that had to go for the limit's sake.
      const observed = CausalContext.of([...body.replaces, ...body.evicts]).dots(Number.POSITIVE_INFINITY) ?? [];
      return observed.length === 0 ? null : deleteOf(op, { type: 'multiRegister', observed });
    }
    case 'set':
    case 'flag':
      return body.observed.length === 0 ? null : deleteOf(op, { type: body.type, observed: body.observed });
    case 'counter': {
      if (body.action !== 'add') return op;
      const increment = loneIncrement(dot.sequence, body.amount);
      return deleteOf(op, {
        type: 'counter',
        observed: new Map([[dot.replica, new Map([[body.generation, increment]])]]),
      });
    }
    case 'document':
      // A compaction ends no generation, and what took it away may be another compaction.
      return body.replaces.length === 0
        ? null
        : deleteOf(op, { type: 'document', observed: body.replaces, generations: [] });
    case 'delete':
      return op;
  }
}

function deleteOf(op: Operation, part: DeletedPart): Operation {
  return { ...op, body: { type: 'delete', parts: [part] } };
}

/**
 * The dots whose effects `body` takes away or takes the place of. Of increments that a counter's reset sums up only those that
 * it names one by one; {@link takenSums} has the others.
 */
export function takenAway(body: OperationBody): readonly Dot[] {
  switch (body.type) {
    case 'register':
      return body.replaces === null ? [] : [body.replaces];
    case 'multiRegister':
      return [...body.replaces, ...body.evicts];
    case 'set':
    case 'flag':
      return body.observed;
    case 'counter':
      return body.action === 'add' ? [] : dotsOf(body.observed);
    case 'document':
      return body.replaces;
    case 'delete':
      return body.parts.flatMap((part) => {
        if (part.type === 'register') return part.replaces === null ? [] : [part.replaces];
        return part.type === 'counter' ? dotsOf(part.observed) : part.observed;
      });
  }
}

/** The increments that `body` takes away as sums. */
export function takenSums(body: OperationBody): readonly Sum[] {
  if (body.type === 'counter') return body.action === 'add' ? [] : sumsOf(body.observed);
  if (body.type !== 'delete') return [];
  return body.parts.flatMap((part) => (part.type === 'counter' ? sumsOf(part.observed) : []));
}

function isSeen({ replica, generation, upTo }: Sum, context: CausalContext): boolean {
  return context.hasRange(replica, generation, upTo);
}

function nameOf({ replica, generation }: Pick<Sum, 'replica' | 'generation'>): string {
  return `${replica}/${generation}`;
}

function dotsOf(observed: ObservedIncrements): Dot[] {
  return Array.from(observed).flatMap(([replica, sets]) =>
    Array.from(sets).flatMap(([generation, { prefix, beyond }]) =>
      // A sum of one increment.
      [...(prefix.upTo === generation ? [generation] : []), ...beyond.keys()].map((sequence) => ({
        replica,
        sequence,
      })),
    ),
  );
}

function sumsOf(observed: ObservedIncrements): Sum[] {
  return Array.from(observed).flatMap(([replica, sets]) =>
    Array.from(sets).flatMap(([generation, { prefix }]) =>
      prefix.upTo > generation ? [{ replica, generation, upTo: prefix.upTo }] : [],
    ),
  );
}
