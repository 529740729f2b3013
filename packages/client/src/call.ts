import { assert, randomInt, type Random } from '@skerry/base';
import { errorEntry, type Answer, type ErrorCode } from '@skerry/protocol';

/**
 * One call from the first attempt to its end, stepped: an event and the time in, what to do out. It owns no timer, no
 * socket and no id; `dispatcher.ts` carries out what it says.
 *
 * The duty that everything here serves (I8): a definite outcome is reported only if it is known. `mayBeApplied` is set
 * as soon as an attempt of a write left the client and its answer is missing, and from then on only a node's word about
 * this very write, spoken in knowledge of the retry, makes the outcome definite again.
 */
export class Call {
  readonly #options: CallOptions;
  readonly #deadlineMs: number;
  /** The end of waiting for a fence that is under way. */
  readonly #giveUpMs: number;
  #phase: 'waiting' | 'inFlight' | 'settled' = 'waiting';
  /** Not sent again before this. */
  #notBeforeMs = 0;
  #refusals = 0;
  #renewals = 0;
  #mayBeApplied = false;
  #wasSent = false;

  constructor(options: CallOptions, nowMs: number) {
    assert(options.timeoutMs === null || options.timeoutMs >= 0, 'a timeout is not negative', {
      timeoutMs: options.timeoutMs,
    });
    this.#options = options;
    this.#deadlineMs = options.timeoutMs === null ? Number.POSITIVE_INFINITY : nowMs + options.timeoutMs;
    this.#giveUpMs = this.#deadlineMs + options.graceMs;
  }

  /** An attempt of a write is on the wire, or was and its answer is missing. */
  get mayBeApplied(): boolean {
    return this.#options.write && (this.#mayBeApplied || this.#phase === 'inFlight');
  }

  get wasSent(): boolean {
    return this.#wasSent;
  }

  /** A connection is there. After `send` the caller puts the attempt on the wire in the same turn. */
  ready(nowMs: number): CallAction {
    if (this.#phase !== 'waiting') return this.tick(nowMs);
    const late = this.tick(nowMs);
    if (late.kind === 'settle' || nowMs < this.#notBeforeMs) return late;
    const retry = this.#mayBeApplied;
    this.#phase = 'inFlight';
    this.#wasSent = true;
    // Past its deadline an attempt is sent only to learn what became of the earlier one: the node fences it at once.
    const timeoutMs = this.#options.timeoutMs === null ? null : Math.max(0, Math.ceil(this.#deadlineMs - nowMs));
    return { kind: 'send', timeoutMs, retry };
  }

  answered(answer: Answer, nowMs: number): CallAction {
    if (this.#phase !== 'inFlight') return this.tick(nowMs);
    if (answer.kind !== 'error') return this.#settle({ kind: 'answer', answer });
    this.#phase = 'waiting';
    if (this.#options.write && (answer.ticket !== undefined || answer.code === 'STOPPING')) this.#mayBeApplied = true;
    if (answer.code === 'SESSION_EXPIRED' && !this.#mayBeApplied) {
      const greeting = greetings[this.#renewals++];
      if (greeting !== undefined) return { kind: 'renew', greeting };
      return this.#fail(answer.code, `the session was renewed ${greetings.length} times`);
    }
    if (!aboutAttemptOnly.has(answer.code)) return this.#fail(answer.code, answer.detail);
    // The region does not know this write any more: no retry can learn what became of it.
    if (answer.code === 'SESSION_EXPIRED' || answer.code === 'SEQUENCE_ANSWERED') {
      return this.#settle({ kind: 'expired', outcome: this.#options.write ? 'undecided' : null });
    }
    if (!this.#options.repeatable || !(this.#mayBeApplied || this.#retriesByItself(answer.code)))
      return this.#fail(answer.code, answer.detail);
    this.#notBeforeMs = nowMs + backOffMs(this.#refusals++, this.#options.random);
    return this.tick(nowMs);
  }

  /** The connection ended, and the attempt may or may not have arrived. */
  lost(nowMs: number): CallAction {
    if (this.#phase !== 'inFlight') return this.tick(nowMs);
    this.#phase = 'waiting';
    if (this.#options.write) this.#mayBeApplied = true;
    if (!this.#options.repeatable) return this.#fail('CONNECTION_LOST', 'the answer is unknown');
    return this.tick(nowMs);
  }

  /**
   * The region that this was sent to is given up. Another one must not be asked about a write that this one may have
   * applied (DESIGN section 2); everything else may be sent there.
   */
  regionLost(nowMs: number): CallAction {
    const action = this.lost(nowMs);
    if (this.#phase !== 'waiting' || !this.#mayBeApplied) return action;
    return this.#settle({ kind: 'expired', outcome: 'undecided' });
  }

  tick(nowMs: number): CallAction {
    if (this.#phase === 'settled') return idle;
    const unknown = this.mayBeApplied;
    // What never left, or was refused each time, waits for nothing beyond its deadline.
    const pending = unknown || this.#phase === 'inFlight';
    const endMs = pending ? this.#giveUpMs : this.#deadlineMs;
    if (nowMs >= endMs) {
      if (!this.#options.write) return this.#settle({ kind: 'expired', outcome: null });
      return this.#settle({ kind: 'expired', outcome: unknown ? 'undecided' : 'notApplied' });
    }
    const wakeMs = this.#phase === 'waiting' && this.#notBeforeMs > nowMs ? Math.min(this.#notBeforeMs, endMs) : endMs;
    return { kind: 'wait', untilMs: wakeMs };
  }

  /** The caller aborted, or the client was closed. */
  stop(code: 'ABORTED' | 'CLOSED'): CallAction {
    if (this.#phase === 'settled') return idle;
    return this.#fail(code, this.mayBeApplied ? 'the write may have been applied' : 'nothing was applied');
  }

  /** The attempt that `ready` asked for cannot be put on the wire. */
  refuse(code: ErrorCode, detail: string): CallAction {
    return this.#settle({ kind: 'failed', code, detail, definite: !this.#mayBeApplied });
  }

  #retriesByItself(code: ErrorCode): boolean {
    if (code === 'NO_LEADER' || code === 'STOPPING') return true;
    return code === 'OVERLOADED' && this.#options.timeoutMs === null;
  }

  #fail(code: ErrorCode, detail: string): CallAction {
    const definite = ofClient.has(code)
      ? !this.mayBeApplied && (this.#options.repeatable || !this.#wasSent)
      : errorEntry(code).definite && (!this.mayBeApplied || ofEveryAttempt.has(code));
    return this.#settle({ kind: 'failed', code, detail, definite });
  }

  #settle(settlement: Settlement): CallAction {
    this.#phase = 'settled';
    return { kind: 'settle', settlement };
  }
}

export interface CallOptions {
  /** It carries a write id, and its outcome matters. */
  readonly write: boolean;
  /** May be sent again when its answer is missing. */
  readonly repeatable: boolean;
  /** null: blocking. */
  readonly timeoutMs: number | null;
  /** How long after the deadline an answer that is under way is waited for: a fence takes a round of the log. */
  readonly graceMs: number;
  readonly random: Random;
}

export type CallAction =
  | { readonly kind: 'send'; readonly timeoutMs: number | null; readonly retry: boolean }
  /** Take a new session and write id, after this welcome, then call `ready` again. */
  | { readonly kind: 'renew'; readonly greeting: Greeting }
  /** Nothing, unless an event comes; `tick` at this time at the latest. */
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'settle'; readonly settlement: Settlement };

export type Settlement =
  | { readonly kind: 'answer'; readonly answer: Exclude<Answer, { readonly kind: 'error' }> }
  /** Out of time; `outcome` is null where nothing could be applied. */
  | { readonly kind: 'expired'; readonly outcome: 'notApplied' | 'undecided' | null }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly detail: string; readonly definite: boolean };

/** Nothing more is to be learned of it. */
export function isDecided(settlement: Settlement): boolean {
  switch (settlement.kind) {
    case 'answer':
      return !('outcome' in settlement.answer) || settlement.answer.outcome !== 'undecided';
    case 'expired':
      return settlement.outcome !== 'undecided';
    case 'failed':
      return settlement.definite;
  }
}

const idle: CallAction = { kind: 'wait', untilMs: Number.POSITIVE_INFINITY };

/** Whose time a renewed session is born in: what the last welcome said, another of the same node, one of another node. */
export type Greeting = 'last' | 'again' | 'elsewhere';

/**
 * A renewed session that is refused as well was born too early: the node did not know the region's time when it said
 * welcome. It does now, by the entry that refused the write; and if its time is wrong, another one's may not be.
 */
const greetings: readonly Greeting[] = ['last', 'again', 'elsewhere'];

/** Results of the state machine, which remembers them, and what no node of any configuration takes. */
const ofEveryAttempt: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'LEASE_NOT_FOUND',
  'LEASE_EXISTS',
  'WRONG_TYPE',
  'CROSS_PARTITION',
  'KEY_EMPTY',
  'KEY_NOT_UTF8',
]);

/** Errors of getting a request in: they speak of one attempt and may pass. All others end the call. */
const aboutAttemptOnly: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'OVERLOADED',
  'PENDING_FULL',
  'STORAGE_FULL',
  'NO_LEADER',
  'STOPPING',
  'SESSION_EXPIRED',
  'SEQUENCE_ANSWERED',
]);
const ofClient: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ABORTED', 'CLOSED', 'CONNECTION_LOST']);

/** Exponential with full jitter: up to 20 ms, 40 ms, … 1 s. */
export function backOffMs(failures: number, random: Random): number {
  return randomInt(random, 1, Math.min(1_000, 20 * 2 ** Math.min(failures, 10)));
}
