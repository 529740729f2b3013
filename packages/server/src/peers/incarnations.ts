import { ByteReader, ByteWriter, nodeId, type NodeId, replicaId, type ReplicaId } from '@skerry/base';
import type { DirectoryEntry, Storage } from '@skerry/replica';

const prefix = 'server/peer-incarnation/';
/** The first string above all that start with {@link prefix}: '0' follows '/'. */
const prefixEnd = 'server/peer-incarnation0';

/**
 * Which incarnation each peer has. The first one met is trusted and remembered on disk; a node that comes back under
 * its name with another data folder has forgotten votes and acknowledged entries, and is refused until the operator has
 * replaced the member, which the directory tells.
 */
export class Incarnations {
  readonly #storage: Pick<Storage, 'scan' | 'submit'>;
  readonly #known = new Map<NodeId, ReplicaId>();
  #directory: ReadonlyMap<NodeId, DirectoryEntry> = new Map();

  constructor(storage: Pick<Storage, 'scan' | 'submit'>) {
    this.#storage = storage;
    for (const { key, value } of storage.scan({ from: prefix, to: prefixEnd })) {
      this.#known.set(nodeId(key.slice(prefix.length)), replicaId(new ByteReader(value).u48()));
    }
  }

  known(node: NodeId): ReplicaId | null {
    return this.#known.get(node) ?? null;
  }

  /** True if `node` may come as `replica`; resolves once that is on disk. Rejects when storage failed. */
  async admit(node: NodeId, replica: ReplicaId): Promise<boolean> {
    const known = this.#known.get(node);
    if (known !== undefined) return known === replica;
    await this.#remember(node, replica);
    // Meanwhile the directory may have said otherwise.
    return this.#known.get(node) === replica;
  }

  /** Takes over what the members' directory says of incarnations. Rejects when storage failed. */
  async learn(entries: readonly DirectoryEntry[]): Promise<void> {
    const directory = new Map(entries.map((entry) => [entry.node, entry]));
    const saved: Promise<void>[] = [];
    for (const [node, entry] of directory) {
      // null: some group still counts on a member that nobody can name. Whoever is known stays, and nobody else comes.
      if (entry.replica !== null) saved.push(this.#remember(node, entry.replica));
    }
    for (const node of this.#directory.keys()) {
      if (!directory.has(node)) saved.push(this.#remember(node, null));
    }
    this.#directory = directory;
    await Promise.all(saved);
  }

  async #remember(node: NodeId, replica: ReplicaId | null): Promise<void> {
    if ((this.#known.get(node) ?? null) === replica) return;
    if (replica === null) this.#known.delete(node);
    else this.#known.set(node, replica);
    const value = replica === null ? null : new ByteWriter(6).u48(replica).finish();
    await this.#storage.submit([{ key: prefix + node, value }]);
  }
}
