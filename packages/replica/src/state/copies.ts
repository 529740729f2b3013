import { ByteReader, ByteWriter, DecodeError, type ClientId } from '@skerry/base';
import {
  decodeDot,
  DotAliases,
  encodeDot,
  equalDots,
  generationOf,
  type CausalContext,
  type Dot,
  type DotAlias,
  type Operation,
  type Value,
} from '@skerry/crdt';
import type { StateKeys } from '../keys.ts';
import type { PendingWrite } from '../pending.ts';
import type { StagedStore } from '../staged-store.ts';
import type { WriteRequest } from '@skerry/crdt';
import type { Receipts } from './receipts.ts';
import type { Sessions } from './sessions.ts';

/** A client's write: its number is the same in all copies. */
export interface WriteName {
  readonly client: ClientId;
  readonly sequence: number;
}

/**
 * Copies of one quorum-less write, which a client retried at a second node: each has a dot of its own, and the first to be
 * promoted is the write. What was written at the second node observed the other dot; it is told here what to call it, or a
 * remove would leave the element there that it was answered to have removed (I7, I11).
 */
export class Copies {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  readonly #sessions: Sessions;
  readonly #receipts: Receipts;
  readonly #aliases: DotAliases = new DotAliases();

  constructor(
    keys: StateKeys,
    store: StagedStore,
    { sessions, receipts }: { readonly sessions: Sessions; readonly receipts: Receipts },
  ) {
    this.#keys = keys;
    this.#store = store;
    this.#sessions = sessions;
    this.#receipts = receipts;
    for (const { value } of store.scan(keys.range('a'))) {
      const reader = new ByteReader(value);
      const from = decodeDot(reader);
      const to = decodeDot(reader);
      const amount = parseAmount(reader.text());
      const generations = { from: reader.varint(), to: reader.bool() ? reader.varint() : null };
      this.#aliases.add({ from, to, amount, generations });
    }
  }

  /** `second` is a copy of the write that was promoted as `first`, on which `committed` came about. */
  add(second: Operation, first: Dot, committed: Value | null): void {
    const { dot } = second;
    const alias = aliasOf(second, first, generationOf(committed, first));
    this.#aliases.add(alias);
    const writer = new ByteWriter(48);
    encodeDot(writer, dot);
    encodeDot(writer, first);
    writer
      .text(alias.amount.toString())
      .varint(alias.generations.from)
      .bool(alias.generations.to !== null);
    if (alias.generations.to !== null) writer.varint(alias.generations.to);
    this.#store.defer(this.#keys.alias(dot.replica, dot.sequence), writer.finish());
  }

  /** Its receipt is forgotten. */
  forget(dot: Dot): void {
    if (!this.#aliases.has(dot)) return;
    this.#aliases.delete(dot);
    this.#store.deferDelete(this.#keys.alias(dot.replica, dot.sequence));
  }

  rename(op: Operation): Operation {
    return this.#aliases.rename(op);
  }

  renameContext<R extends WriteRequest>(request: R): R {
    if (this.#aliases.isEmpty || !('context' in request) || request.context === null) return request;
    const context: CausalContext = this.#aliases.renameContext(request.context);
    return { ...request, context };
  }

  /** True if a pending write is what its node made of it: no copy of it is settled, nor was one of any other. */
  isAsWritten({ client, sequence }: WriteName): boolean {
    return this.#aliases.isEmpty && this.#sessions.find(client)?.done.has(sequence) !== true;
  }

  /** What the pending writes of one key, in order, come to on `committed`: each write once, whatever copies of it there are. */
  distinct(held: readonly Omit<PendingWrite, 'command'>[], committed: Value | null): readonly Operation[] {
    if (held.length === 0) return [];
    const here: Map<string, Operation> = new Map();
    const aliases = new DotAliases();
    const ops: Operation[] = [];
    for (const { write, client, sequence } of held) {
      const name = `${client}:${sequence}`;
      const isDone = this.#sessions.find(client)?.done.has(sequence) === true;
      const copy = here.get(name);
      const first = copy?.dot ?? (isDone ? (this.#receipts.firstOf({ client, sequence })?.dot ?? null) : null);
      if (first !== null && !equalDots(first, write.op.dot)) {
        const to = copy === undefined ? generationOf(committed, first) : incrementOf(copy).generation;
        aliases.add(aliasOf(write.op, first, to));
      }
      // What was fenced is not there either.
      if (first !== null || isDone) continue;
      here.set(name, write.op);
      ops.push(write.op);
    }
    return ops.map((op) => aliases.rename(this.rename(op)));
  }
}

function aliasOf(second: Operation, first: Dot, generation: number | null): DotAlias {
  const { amount, generation: from } = incrementOf(second);
  return { from: second.dot, to: first, amount, generations: { from, to: generation } };
}

function incrementOf({ body }: Operation): { readonly amount: bigint; readonly generation: number } {
  return body.type === 'counter' && body.action === 'add' ? body : { amount: 0n, generation: 0 };
}

function parseAmount(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new DecodeError('not an amount');
  return BigInt(text);
}
