import type { SeenMessage } from '@skerry/protocol';
import type { Seen } from '@skerry/replica';

type SeenPartition = Seen['partitions'][number];

/**
 * What the node has applied, kept so that a client is told of the partitions that changed since it was last told. Made
 * once per turn and version, whatever the number of clients.
 */
export class SeenView {
  #version = -1;
  /** By partition: what it has applied, and the version in which that changed. */
  readonly #partitions = new Map<number, { readonly seen: SeenPartition; readonly version: number }>();
  /** Messages of the present version, by the version that the client has. */
  readonly #messages = new Map<number, SeenMessage>();

  /** -1 until {@link set}. */
  get version(): number {
    return this.#version;
  }

  set({ version, partitions }: Seen): void {
    if (version === this.#version) return;
    this.#version = version;
    this.#messages.clear();
    for (const seen of partitions) {
      const known = this.#partitions.get(seen.partition)?.seen;
      if (known === undefined || !equal(known, seen)) this.#partitions.set(seen.partition, { seen, version });
    }
  }

  /** For a client that was last told at `version`; -1: never. */
  since(version: number): SeenMessage {
    const made = this.#messages.get(version);
    if (made !== undefined) return made;
    const changed = [...this.#partitions.values()].filter((entry) => entry.version > version);
    const message: SeenMessage = { kind: 'seen', partitions: changed.map(({ seen }) => seen) };
    this.#messages.set(version, message);
    return message;
  }
}

function equal(a: SeenPartition, b: SeenPartition): boolean {
  if (a === b) return true;
  return (
    a.promoted.replica === b.promoted.replica &&
    a.promoted.sequence === b.promoted.sequence &&
    a.positions.length === b.positions.length &&
    a.positions.every(({ origin, sequence }, at) => {
      const other = b.positions[at];
      return other !== undefined && other.origin === origin && other.sequence === sequence;
    })
  );
}
