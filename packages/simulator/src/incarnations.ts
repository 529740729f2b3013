import type { NodeId } from '@skerry/base';
import type { DirectoryEntry } from '@skerry/replica';

/**
 * Which data folder each peer has, as a server remembers it on disk: a node that comes back under its name with another
 * one has forgotten votes and acknowledged entries, and is refused until the operator has replaced the member.
 */
export class Incarnations {
  readonly #known: Map<NodeId, number> = new Map();
  #directory: Map<NodeId, number | null> = new Map();

  admit(node: NodeId, replica: number): boolean {
    const known = this.#known.get(node);
    if (known !== undefined) return known === replica;
    this.#known.set(node, replica);
    return true;
  }

  learn(entries: readonly DirectoryEntry[]): void {
    const directory = new Map(entries.map(({ node, replica }): [NodeId, number | null] => [node, replica]));
    for (const [node, replica] of directory) {
      // null: some group still counts on a member that nobody can name. Whoever is known stays, and nobody else comes.
      if (replica !== null) this.#known.set(node, replica);
    }
    for (const node of this.#directory.keys()) if (!directory.has(node)) this.#known.delete(node);
    this.#directory = directory;
  }

  /** True if `node` is a member, or still leaving. */
  lists(node: NodeId): boolean {
    return this.#directory.has(node);
  }

  /** True if the directory says that `node` is this incarnation. */
  names(node: NodeId, replica: number): boolean {
    return this.#directory.get(node) === replica;
  }

  replaced(node: NodeId, replica: number): void {
    this.#known.set(node, replica);
  }

  wipe(): void {
    this.#known.clear();
    this.#directory.clear();
  }
}
