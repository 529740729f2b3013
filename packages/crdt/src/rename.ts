import type { ReplicaId } from '@skerry/base';
import type { CausalContext } from './context.ts';
import { renameIncrement, type ObservedIncrements } from './counter.ts';
import type { DeletedPart } from './delete.ts';
import { compareDots, equalDots, type Dot } from './dot.ts';
import type { Operation, OperationBody } from './operation.ts';

/**
 * A dot that takes no effect of its own, because its write is a second copy of another one: a client's retry that a second
 * node accepted. Whoever observed `from` observed the write that is known as `to`.
 */
export interface DotAlias {
  readonly from: Dot;
  readonly to: Dot;
  /** What the write adds, if it is a counter's increment. */
  readonly amount: bigint;
  /** Of an increment: the generations that both are known in; null: `to` is forgotten. 0 for any other write. */
  readonly generations: { readonly from: number; readonly to: number | null };
}

/** Aliases by the dot that they stand for. */
export class DotAliases {
  readonly #byReplica: Map<ReplicaId, Map<number, DotAlias>> = new Map();

  get isEmpty(): boolean {
    return this.#byReplica.size === 0;
  }

  add(alias: DotAlias): void {
    const { replica, sequence } = alias.from;
    const known = this.#byReplica.get(replica);
    if (known === undefined) this.#byReplica.set(replica, new Map([[sequence, alias]]));
    else known.set(sequence, alias);
  }

  delete({ replica, sequence }: Dot): void {
    const known = this.#byReplica.get(replica);
    if (known?.delete(sequence) === true && known.size === 0) this.#byReplica.delete(replica);
  }

  has({ replica, sequence }: Dot): boolean {
    return this.#byReplica.get(replica)?.has(sequence) === true;
  }

  *all(): Generator<DotAlias, void, undefined> {
    for (const known of this.#byReplica.values()) yield* known.values();
  }

  /** The same operation, naming what it observed as everybody else does. */
  rename(op: Operation): Operation {
    return this.isEmpty ? op : { ...op, body: this.#body(op.body) };
  }

  /** The context, with the dots beside it that those in it are known as. */
  renameContext(context: CausalContext): CausalContext {
    const renamed = context.clone();
    for (const { from, to } of this.all()) if (context.has(from)) renamed.add(to);
    return renamed;
  }

  #body(body: OperationBody): OperationBody {
    switch (body.type) {
      case 'register':
        return { ...body, replaces: this.#optional(body.replaces) };
      case 'multiRegister':
        return { ...body, replaces: this.#dots(body.replaces), evicts: this.#dots(body.evicts) };
      case 'set':
      case 'flag':
        return { ...body, observed: this.#dots(body.observed) };
      case 'counter':
        return body.action === 'add' ? body : { ...body, observed: this.#increments(body.observed) };
      case 'document':
        return {
          ...body,
          chunk: { ...body.chunk, generations: this.#dots(body.chunk.generations) },
          replaces: this.#dots(body.replaces),
        };
      case 'delete':
        return { ...body, parts: body.parts.map((part) => this.#part(part)) };
    }
  }

  #part(part: DeletedPart): DeletedPart {
    switch (part.type) {
      case 'register':
        return { ...part, replaces: this.#optional(part.replaces) };
      case 'counter':
        return { ...part, observed: this.#increments(part.observed) };
      case 'document':
        return { ...part, observed: this.#dots(part.observed), generations: this.#dots(part.generations) };
      case 'multiRegister':
      case 'set':
      case 'flag':
        return { ...part, observed: this.#dots(part.observed) };
    }
  }

  #increments(observed: ObservedIncrements): ObservedIncrements {
    let renamed = observed;
    for (const replica of observed.keys()) {
      for (const alias of this.#byReplica.get(replica)?.values() ?? []) renamed = renameIncrement(renamed, alias);
    }
    return renamed;
  }

  #optional(dot: Dot | null): Dot | null {
    return dot === null ? null : this.#dot(dot);
  }

  #dot(dot: Dot): Dot {
    return this.#byReplica.get(dot.replica)?.get(dot.sequence)?.to ?? dot;
  }

  /** In order and each once, as both copies may have been observed. */
  #dots(dots: readonly Dot[]): readonly Dot[] {
    const renamed = dots.map((dot) => this.#dot(dot)).sort(compareDots);
    return renamed.filter((dot, i) => i === 0 || !equalDots(dot, renamed[i - 1] as Dot));
  }
}
