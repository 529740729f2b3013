import type { LinearizedSet } from './configurations.ts';
import { outputOf, type Model, type Operation } from './model.ts';
import { compareVersions, type Version } from './version.ts';

/**
 * The operations of a partition whose answers carry versions, lowest first. One of a lower version has no place any more after
 * one of a higher version ({@link Model.versionOf}), so an order that goes past it is given up there. Otherwise that would show
 * only at its return: behind n writes that are open beside it, after all 2^n choices of which of them came before.
 */
export class VersionOrder {
  /** Indexes of the operations, by version. */
  readonly #rising: readonly number[];
  readonly #positions = new Map<number, number>();
  readonly #versions: readonly (Version | undefined)[];
  readonly #linearized: LinearizedSet;
  /** The first position in {@link #rising} whose operation is not linearized. */
  #lowest = 0;

  constructor(versions: readonly (Version | undefined)[], linearized: LinearizedSet) {
    this.#versions = versions;
    this.#linearized = linearized;
    this.#rising = versions
      .flatMap((version, index) => (version === undefined ? [] : [{ version, index }]))
      .sort((a, b) => compareVersions(a.version, b.version))
      .map(({ index }) => index);
    for (const [position, index] of this.#rising.entries()) this.#positions.set(index, position);
  }

  /** An operation that would have no place any more if `index` came next; null if there is none. */
  skippedBy(index: number): number | null {
    const version = this.#versions[index];
    const lowest = this.#rising[this.#lowest];
    if (version === undefined || lowest === undefined) return null;
    const lowestVersion = this.#versions[lowest] as Version;
    return compareVersions(lowestVersion, version) < 0 ? lowest : null;
  }

  /** After `index` was linearized. */
  placed(index: number): void {
    if (this.#rising[this.#lowest] !== index) return;
    while (this.#lowest < this.#rising.length && this.#linearized.has(this.#rising[this.#lowest] as number)) {
      this.#lowest++;
    }
  }

  /** After that was taken back. */
  takenBack(index: number): void {
    this.#lowest = Math.min(this.#lowest, this.#positions.get(index) ?? this.#lowest);
  }
}

/** By operation; undefined where no answer told one. */
export function versionsOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): (Version | undefined)[] {
  return operations.map((operation) => {
    const output = outputOf(operation);
    return output === null ? undefined : model.versionOf(output);
  });
}
