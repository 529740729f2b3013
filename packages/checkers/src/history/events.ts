import type { KeyValueInput, KeyValueOutput } from '../models/key-value.ts';
import type { Version } from '../version.ts';

/** What clients saw of a run, in the order in which one recorder saw it: that order is real time for the checkers. */
export interface History {
  /** What a key holds before anyone writes it. */
  readonly initial: string | null;
  readonly events: readonly HistoryEvent[];
}

/**
 * One end of a call, in Jepsen's words.
 *
 * - `invoke`: the call was sent.
 * - `accepted`: a quorum-less write was acknowledged by its node. The call stays open: in the consistent view it ends
 *   with its promotion (I3), which is its `ok`.
 * - `ok`: it took effect, or was answered, between its invocation and here.
 * - `fail`: it had no effect and never will (`notApplied`; for a quorum-less write `superseded` or `rejected`, which
 *   the consistent view never shows).
 * - `info`: the outcome stays unknown (`undecided`, a crash). So it is for calls that the history leaves open.
 */
export type HistoryEvent =
  | InvokeEvent
  | (EventBase & { readonly kind: 'accepted'; readonly version?: Version | undefined })
  | (EventBase & { readonly kind: 'ok'; readonly output: KeyValueOutput })
  | (EventBase & { readonly kind: 'fail' })
  | (EventBase & { readonly kind: 'info' });

export interface InvokeEvent extends EventBase {
  readonly kind: 'invoke';
  readonly input: KeyValueInput;
  /** False for a quorum-less read or write. Default true. */
  readonly consistent?: boolean | undefined;
  /** Where the call was sent, if that is known. */
  readonly node?: string | undefined;
  readonly region?: string | undefined;
}

interface EventBase {
  /** A client session. Its calls may overlap. */
  readonly process: string;
  /** Numbers the call; an invocation and its completion share it. Unique in the history. */
  readonly call: number;
  /** For people; the order of the events counts. */
  readonly timeMs: number;
}

/** A history that cannot be read, and where. An operating failure: the input is bad. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError';
  /** From 1. */
  readonly lineNumber: number;

  constructor(lineNumber: number, problem: string) {
    super(`line ${lineNumber}: ${problem}`);
    this.lineNumber = lineNumber;
  }
}
