import { randomBytes } from 'node:crypto';
import { clientId, type ClientId } from '@skerry/base';
import type { WriteId } from '@skerry/replica';

/** Tickets given out by this node and not yet resolved; above this the oldest is given up. */
const ticketsMax = 1_000;
/** A session that is this old makes no more writes, so that none is used that the region has forgotten. */
const ageMsMax = 3_600_000;

/** A write of this node's HTTP clients, until its outcome is known. */
export interface HttpWrite {
  readonly id: WriteId;
  /** The outcome is known, or nobody waits for it any more. */
  settle(): void;
  /** The outcome stays unknown for now: its result must be kept until {@link HttpSessions.resolved}. */
  keep(ticket: string): void;
}

/** One client session of this node for one partition. */
class HttpSession {
  readonly client: ClientId;
  readonly #createdMs: number;
  #next = 1;
  /** Sequences whose results the region must keep, lowest first. */
  readonly #owed = new Set<number>();
  readonly #tickets: Map<string, () => void>;

  constructor(tickets: Map<string, () => void>, wallMs: number) {
    this.#tickets = tickets;
    this.#createdMs = wallMs;
    this.client = clientId(wallMs.toString(16).padStart(12, '0') + randomBytes(10).toString('hex'));
  }

  aged(wallMs: number): boolean {
    return Math.abs(wallMs - this.#createdMs) > ageMsMax;
  }

  begin(): HttpWrite {
    const sequence = this.#next++;
    this.#owed.add(sequence);
    // A set keeps the order of insertion, and sequences are inserted in order.
    const answeredBelow = this.#owed.values().next().value ?? sequence;
    const settle = (): void => void this.#owed.delete(sequence);
    return {
      id: { client: this.client, sequence, answeredBelow, retry: false },
      settle,
      keep: (ticket) => {
        this.#tickets.set(ticket, settle);
        if (this.#tickets.size <= ticketsMax) return;
        const [oldest] = this.#tickets;
        if (oldest === undefined) return;
        this.#tickets.delete(oldest[0]);
        oldest[1]();
      },
    };
  }
}

/**
 * HTTP has no sessions, yet every write needs an id that is used once: this node is the client of its HTTP clients. An
 * HTTP request is sent to the replica once; whether it may be repeated is for the caller to judge by the outcome.
 */
export class HttpSessions {
  readonly #sessions: (HttpSession | null)[];
  readonly #tickets: Map<string, () => void> = new Map();
  readonly #wallMs: () => number;

  constructor(partitionCount: number, wallMs: () => number = Date.now) {
    this.#sessions = Array.from({ length: partitionCount }, () => null);
    this.#wallMs = wallMs;
  }

  begin(partition: number): HttpWrite {
    const wallMs = this.#wallMs();
    let session = this.#sessions[partition] ?? null;
    if (session === null || session.aged(wallMs)) {
      session = new HttpSession(this.#tickets, wallMs);
      this.#sessions[partition] = session;
    }
    return session.begin();
  }

  /** The outcome behind a ticket was told. */
  resolved(ticket: string): void {
    this.#tickets.get(ticket)?.();
    this.#tickets.delete(ticket);
  }
}
