/**
 * The cluster time of one partition (thesis 6.3), as this node knows it: milliseconds that start at 0 with the cluster and
 * advance with monotonic clocks alone, while there is a leader. So a wall clock that is wrong, or a region that was
 * switched off, ends no session and no lease.
 *
 * A node counts on from the last entry that it applied. That was read from the proposer's time before, so no node is ever
 * ahead of the leader that wrote the entry: a lease never ends early, whoever leads next.
 */
export class ClusterTime {
  #baseMs: number;
  #sinceMs: number;
  #runs = false;

  /** `clusterMs` is that of the applied state; `nowMs` is on the monotonic clock, here and below. */
  constructor(clusterMs: number, nowMs: number) {
    this.#baseMs = clusterMs;
    this.#sinceMs = nowMs;
  }

  at(nowMs: number): number {
    return this.#runs ? Math.floor(this.#baseMs + nowMs - this.#sinceMs) : this.#baseMs;
  }

  /**
   * The applied state has come to `clusterMs`. It counts also where this node had counted further: it may have been cut
   * off from a leader that it still believed in.
   */
  applied(clusterMs: number, nowMs: number): void {
    this.#baseMs = clusterMs;
    this.#sinceMs = nowMs;
  }

  /** A leader is known, or none is. */
  setRunning(runs: boolean, nowMs: number): void {
    if (runs === this.#runs) return;
    this.#baseMs = this.at(nowMs);
    this.#sinceMs = nowMs;
    this.#runs = runs;
  }
}
