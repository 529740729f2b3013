import { assertPresent, utf8Decode, utf8Encode, type NodeId, type SeededRandom } from '@skerry/base';
import type { ClientRequest, Seen, WriteOperation } from '@skerry/replica';
import type { World } from '../world.ts';
import type { Journal } from './journal.ts';
import type { WriteEnd } from './write-call.ts';

/** What all clients of a run share, whatever region they are in. */
export interface Counts {
  /** Calls that have not ended. */
  open: number;
  nextValue: number;
  /** No new calls any more. */
  stopped: boolean;
}

/** What all clients of a region share. */
export interface Load {
  readonly world: World;
  readonly journal: Journal;
  readonly keys: readonly string[];
  /** Two keys of one partition that are only ever written together. */
  readonly twins: readonly [string, string] | null;
  readonly onAnomaly: (invariant: string, message: string) => void;
  readonly counts: Counts;
}

/** What a kind of call needs of the client that makes it. */
export interface Caller {
  readonly name: string;
  readonly load: Load;
  readonly random: SeededRandom;
  /** A node of that region: the one where the client is, or one where it still waits for something. */
  readonly pickNode: (world: World) => NodeId;
  /** A value that nobody wrote before. */
  newValue(): string;
  drawTimeoutMs(): number | null;
  /** What the session has seen, and the node has to have applied for a read; nothing where there is one region. */
  patience(key: string, timeoutMs: number | null): Pick<ClientRequest, 'after' | 'timeoutMs'>;
  /** An answer of a node that had applied this was taken. */
  saw(seen: Seen): void;
  /** A quorum-less write was accepted. */
  wrote(receipt: string, isMoot: () => boolean): void;
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

/** Of what a client wrote itself. */
export function wordOf(value: Uint8Array): string {
  return assertPresent(utf8Decode(value), 'text');
}
