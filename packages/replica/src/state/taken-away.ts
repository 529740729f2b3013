import { compareText, DecodeError, replicaId, type ByteReader, type ByteWriter, type ReplicaId } from '@skerry/base';
import { CausalContext, operationDelta, type Dot, type Operation, type OperationBody } from '@skerry/crdt';

type Increments = Extract<OperationBody, { type: 'counter'; action: 'reset' }>['observed'];
type IncrementSet = Increments extends ReadonlyMap<ReplicaId, infer S> ? S : never;

/**
 * Effects that writes of this state have taken away, and that it has not seen: if they come as an offer, it is when the tombstone
 * may be forgotten (I11). Nearly always dots. A counter sums up its increments, and which dots a sum is made of is not known any
 * more: of those stands here that all increments of a key and a replica up to a sequence are gone.
 */
export class TakenAway {
  readonly #dots: CausalContext;
  readonly #sums: Map<string, Map<ReplicaId, number>>;

  private constructor(dots: CausalContext, sums: Map<string, Map<ReplicaId, number>>) {
    this.#dots = dots;
    this.#sums = sums;
  }

  static empty(): TakenAway {
    return new TakenAway(CausalContext.empty(), new Map());
  }

  /** A write of `key` takes effect. What it takes away and `context` holds has been here: it comes no more. */
  note(key: string, body: OperationBody, context: CausalContext): void {
    for (const dot of takenAway(body)) if (!context.has(dot)) this.#dots.add(dot);
    for (const [replica, upTo] of takenSums(body)) if (context.maxOf(replica) < upTo) this.#addSum(key, replica, upTo);
  }

  /** The write comes after one that took it away. The caller knows that it has not been here. */
  has(key: string, { dot, body }: Operation): boolean {
    if (this.#dots.has(dot)) return true;
    return isIncrement(body) && (this.#sums.get(key)?.get(dot.replica) ?? 0) >= dot.sequence;
  }

  /** Without what `context` holds. */
  without(context: CausalContext): TakenAway {
    const sums = Array.from(this.#sums, ([key, ofKey]) => {
      const left = Array.from(ofKey).filter(([replica, upTo]) => context.maxOf(replica) < upTo);
      return [key, new Map(left)] as const;
    });
    return new TakenAway(this.#dots.minus(context), new Map(sums.filter(([, ofKey]) => ofKey.size > 0)));
  }

  merge(other: TakenAway): void {
    this.#dots.merge(other.#dots);
    for (const [key, ofKey] of other.#sums) for (const [replica, upTo] of ofKey) this.#addSum(key, replica, upTo);
  }

  clone(): TakenAway {
    const copy = TakenAway.empty();
    copy.merge(this);
    return copy;
  }

  /** The dots, then `key=replica:1-upTo`, in order. */
  toText(): string {
    const sums = this.#sorted().map(
      ([key, ofKey]) =>
        `${key}=${ofKey.map(([replica, upTo]) => `${replica.toString(16).padStart(12, '0')}:1-${upTo}`).join(',')}`,
    );
    return [...(this.#dots.isEmpty ? [] : [this.#dots.toText()]), ...sums].join(' ');
  }

  /** One encoding for equal contents. */
  encode(writer: ByteWriter): void {
    this.#dots.encode(writer);
    writer.varint(this.#sums.size);
    for (const [key, ofKey] of this.#sorted()) {
      writer.text(key).varint(ofKey.length);
      for (const [replica, upTo] of ofKey) writer.u48(replica).varint(upTo);
    }
  }

  static decode(reader: ByteReader): TakenAway {
    const taken = new TakenAway(CausalContext.decode(reader), new Map());
    for (let keys = reader.count(); keys > 0; keys--) {
      const key = reader.text();
      const count = reader.count();
      if (count === 0 || taken.#sums.has(key)) throw new DecodeError('a key without increments, or named twice');
      for (let left = count; left > 0; left--) taken.#addSum(key, replicaId(reader.u48()), reader.varint());
    }
    return taken;
  }

  #addSum(key: string, replica: ReplicaId, upTo: number): void {
    const ofKey = this.#sums.get(key) ?? new Map<ReplicaId, number>();
    this.#sums.set(key, ofKey);
    ofKey.set(replica, Math.max(upTo, ofKey.get(replica) ?? 0));
  }

  #sorted(): (readonly [string, (readonly [ReplicaId, number])[]])[] {
    return Array.from(this.#sums, ([key, ofKey]) => [key, [...ofKey].sort(([a], [b]) => a - b)] as const).sort(
      ([a], [b]) => compareText(a, b),
    );
  }
}

/** True if a write takes something away that `context` does not hold: whoever has that must hear of it. */
export function takesUnseen(body: OperationBody, context: CausalContext): boolean {
  return (
    takenAway(body).some((dot) => !context.has(dot)) ||
    takenSums(body).some(([replica, upTo]) => context.maxOf(replica) < upTo)
  );
}

/**
 * What is left of a write that was taken away before it came: of most nothing. An increment is still summed up by whoever
 * took it away, and must be counted and taken away here as well, or a longer sum would be short of it.
 */
export function leftOf(op: Operation): Operation | null {
  if (!isIncrement(op.body)) return null;
  const observed: Map<ReplicaId, IncrementSet> = new Map();
  for (const part of operationDelta(op).parts)
    if (part.type === 'counter') for (const [replica, { seen }] of part.entries) observed.set(replica, seen);
  return { ...op, body: { type: 'delete', parts: [{ type: 'counter', observed }] } };
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

/** Of which replicas `body` takes away all increments of its key up to a sequence. */
export function takenSums(body: OperationBody): readonly (readonly [ReplicaId, number])[] {
  if (body.type === 'counter') return body.action === 'add' ? [] : sumsOf(body.observed);
  if (body.type !== 'delete') return [];
  return body.parts.flatMap((part) => (part.type === 'counter' ? sumsOf(part.observed) : []));
}

function isIncrement(body: OperationBody): boolean {
  return body.type === 'counter' && body.action === 'add';
}

function dotsOf(increments: Increments): Dot[] {
  return Array.from(increments).flatMap(([replica, { beyond }]) =>
    Array.from(beyond.keys(), (sequence) => ({ replica, sequence })),
  );
}

function sumsOf(increments: Increments): (readonly [ReplicaId, number])[] {
  return Array.from(increments).flatMap(([replica, { prefix }]) =>
    prefix.upTo > 0 ? [[replica, prefix.upTo] as const] : [],
  );
}
