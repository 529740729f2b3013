import { utf8Decode, utf8Encode, type NodeId, type SeededRandom } from '@skerry/base';
import type { WriteOperation } from '@skerry/replica';
import type { World } from '../world.ts';
import type { Journal } from './journal.ts';
import type { WriteEnd } from './write-call.ts';

/** What all clients of a run share. */
export interface Load {
  readonly world: World;
  readonly journal: Journal;
  readonly keys: readonly string[];
  /** Two keys of one partition that are only ever written together. */
  readonly twins: readonly [string, string] | null;
  readonly onAnomaly: (invariant: string, message: string) => void;
  /** Calls that have not ended. */
  open: number;
  nextValue: number;
  /** No new calls any more. */
  stopped: boolean;
}

/** What a kind of call needs of the client that makes it. */
export interface Caller {
  readonly name: string;
  readonly load: Load;
  readonly random: SeededRandom;
  readonly pickNode: () => NodeId;
  /** A value that nobody wrote before. */
  newValue(): string;
  drawTimeoutMs(): number | null;
  /** Runs a write until its end. */
  write(key: string, operation: WriteOperation, onEnd: (end: WriteEnd) => void): void;
  /** A call that is no write begins; {@link finish} ends it. */
  begin(): void;
  finish(): void;
}

export function bytesOf(value: string | null): Uint8Array | null {
  return value === null ? null : utf8Encode(value);
}

export function textOf(value: Uint8Array | null): string | null {
  return value === null ? null : utf8Decode(value);
}
