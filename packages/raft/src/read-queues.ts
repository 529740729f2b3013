import { randomInt, type NodeId, type Random } from '@skerry/base';
import type { LogIndex } from './types.ts';

/** A request that another node forwarded to this one. */
export interface RemoteRead {
  readonly from: NodeId;
  readonly request: number;
}

/** Reads that wait for one round of heartbeats. */
export interface ReadRound {
  /** The commit index when the round began. */
  readonly index: LogIndex;
  readonly contexts: readonly number[];
  readonly remote: readonly RemoteRead[];
}

/** Reads that this node forwarded to the leader as one request. */
export interface ForwardedRead {
  readonly contexts: readonly number[];
  readonly sentTick: number;
}

/** Random part times this, plus a counter below it, is a request's name; it stays a safe integer. */
const requestsPerDraw = 2 ** 20;

/** Where reads wait. */
export class ReadQueues {
  /** Asked since the last output, or since before the leader had committed in its term. */
  contexts: number[] = [];
  remote: RemoteRead[] = [];
  /** Leader: rounds under way, oldest first. */
  readonly rounds: Map<number, ReadRound> = new Map();
  /** Follower: requests under way, oldest first. */
  readonly forwarded: Map<number, ForwardedRead> = new Map();
  readonly #random: Random;
  #requestBase = 0;
  #requestCount = requestsPerDraw;

  constructor(random: Random) {
    this.#random = random;
  }

  get asked(): boolean {
    return this.contexts.length > 0 || this.remote.length > 0;
  }

  /**
   * A name for a request that no earlier life of this node used either: the answer to a request from before a
   * restart may still be under way, and matched with a new request it would allow a stale read (etcd #20418).
   */
  requestNext(): number {
    if (this.#requestCount === requestsPerDraw) {
      this.#requestBase = randomInt(this.#random, 0, 2 ** 32 - 1) * requestsPerDraw;
      this.#requestCount = 0;
    }
    return this.#requestBase + this.#requestCount++;
  }

  /** Takes what was asked, leaving nothing. */
  takeAsked(): { contexts: number[]; remote: RemoteRead[] } {
    const { contexts, remote } = this;
    this.contexts = [];
    this.remote = [];
    return { contexts, remote };
  }
}
