import { ByteWriter } from '@skerry/base';
import { encodeValue, type Value } from '@skerry/crdt';

interface Ahead {
  readonly value: Value | null;
  /** Index up to which the leader had applied. */
  readonly applied: number;
  readonly bytes: number;
}

/** Beyond this the oldest are forgotten: local reads of their keys may go back until the node has caught up. */
const countMax = 16_384;
const bytesMax = 16 * 1_024 * 1_024;

/**
 * What this node answered out of the leader's state, which is ahead of its own: its local reads must not go back behind that
 * (I13). Both states come of one log, so the leader's value holds all that the own one does.
 */
export class ReadAhead {
  readonly #byKey: Map<string, Ahead> = new Map();
  #bytes = 0;
  #appliedMax = 0;

  note(key: string, value: Value | null, applied: number): void {
    const known = this.#byKey.get(key);
    if (known !== undefined && known.applied >= applied) return;
    this.#forget(key);
    const bytes = key.length + sizeOf(value);
    this.#byKey.set(key, { value, applied, bytes });
    this.#bytes += bytes;
    this.#appliedMax = Math.max(this.#appliedMax, applied);
    for (const oldest of this.#byKey.keys()) {
      if (this.#byKey.size <= countMax && this.#bytes <= bytesMax) break;
      this.#forget(oldest);
    }
  }

  /** The value to read in place of the own one; undefined: the own one is as new. */
  find(key: string, applied: number): Value | null | undefined {
    if (this.#byKey.size === 0) return undefined;
    const known = this.#byKey.get(key);
    return known === undefined || known.applied <= applied ? undefined : known.value;
  }

  keysWith(prefix: string): string[] {
    return Array.from(this.#byKey.keys()).filter((key) => key.startsWith(prefix));
  }

  /** The own state has come to `applied`. */
  caughtUp(applied: number): void {
    if (this.#byKey.size === 0 || applied < this.#appliedMax) return;
    this.#byKey.clear();
    this.#bytes = 0;
  }

  #forget(key: string): void {
    this.#bytes -= this.#byKey.get(key)?.bytes ?? 0;
    this.#byKey.delete(key);
  }
}

function sizeOf(value: Value | null): number {
  if (value === null) return 0;
  const writer = new ByteWriter(256);
  encodeValue(writer, value);
  return writer.finish().length;
}
