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

  constructor(tickets: Map<string, () => void>, clusterMs: number) {
    this.#tickets = tickets;
    this.#createdMs = clusterMs;
    this.client = clientId(clusterMs.toString(16).padStart(12, '0') + randomBytes(10).toString('hex'));
  }

  aged(clusterMs: number): boolean {
    return Math.abs(clusterMs - this.#createdMs) > ageMsMax;
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
 * HTTP request is sent to the replica once, and once more where the session was forgotten; whether it may be repeated
 * otherwise is for the caller to judge by the outcome.
 */
export class HttpSessions {
  readonly #sessions: (HttpSession | null)[];
  readonly #tickets: Map<string, () => void> = new Map();
  readonly #clusterNowMs: () => number;

  /** `clusterNowMs`: the region's cluster time, whole milliseconds. */
  constructor(partitionCount: number, clusterNowMs: () => number) {
    this.#sessions = Array.from({ length: partitionCount }, () => null);
    this.#clusterNowMs = clusterNowMs;
  }

  begin(partition: number): HttpWrite {
    const clusterMs = this.#clusterNowMs();
    let session = this.#sessions[partition] ?? null;
    if (session === null || session.aged(clusterMs)) {
      session = new HttpSession(this.#tickets, clusterMs);
      this.#sessions[partition] = session;
    }
    return session.begin();
  }

  /** The region has forgotten the session of this write, or takes it for one that was: it is not used again. */
  expired(partition: number, { id }: HttpWrite): void {
    if (this.#sessions[partition]?.client === id.client) this.#sessions[partition] = null;
  }

  /** The outcome behind a ticket was told. */
  resolved(ticket: string): void {
    this.#tickets.get(ticket)?.();
    this.#tickets.delete(ticket);
  }
}
