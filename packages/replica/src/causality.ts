import type { Asking } from './asking.ts';
import type { Partition } from './partition.ts';
import type { Causality } from './requests.ts';

interface Waiting {
  readonly after: Causality;
  readonly run: (behind: boolean) => void;
  readonly asking: Asking;
}

/** Reads of sessions that have seen more elsewhere: each waits until its node has applied that, or for its deadline (I13). */
export class CausalityWaits {
  readonly #partition: Partition;
  #waiting: Waiting[] = [];

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** Runs `run` as soon as `after` is applied here; with `behind` once `timeoutMs` is over. */
  wait(
    after: Causality,
    timeoutMs: number | null,
    { asking, run }: { asking: Asking; run: (behind: boolean) => void },
  ): void {
    if (this.#covers(after)) return run(false);
    const waiting = { after, run, asking };
    this.#waiting.push(waiting);
    if (timeoutMs === null) return;
    const { turn } = this.#partition;
    turn.at(turn.now.monoMs + timeoutMs, () => {
      const at = this.#waiting.indexOf(waiting);
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      if (asking.isOpen()) run(true);
    });
  }

  /** More is known here: entries were applied, or pending writes came. */
  applied(): void {
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ after }) => this.#covers(after));
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { asking, run } of ready) if (asking.isOpen()) run(false);
  }

  prune(): void {
    this.#waiting = this.#waiting.filter(({ asking }) => asking.isOpen());
  }

  #covers({ positions, dots }: Causality): boolean {
    const { state, pending } = this.#partition;
    return (
      !state.regions.isReplacing() &&
      positions.every(({ origin, sequence }) => state.regions.taken(origin) >= sequence) &&
      dots.every((dot) => state.header.context.has(dot) || pending.find(dot)?.durable === true)
    );
  }
}
