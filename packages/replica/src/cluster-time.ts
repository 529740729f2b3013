/**
 * The cluster time of one partition (thesis 6.3), as this node knows it: it starts at the first leader's wall clock and
 * from then on advances with monotonic clocks alone, while there is a leader. So a wall clock that is wrong, or a region
 * that was switched off, ends no session and no lease.
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

  /** An entry carried this reading. */
  observe(clusterMs: number, nowMs: number): void {
    if (clusterMs <= this.at(nowMs)) return;
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
