/** A part of a long run, and how long it is thought to take. */
export interface Item {
  readonly name: string;
  readonly seconds: number;
}

/** Guesses are held to what was found so far, within these bounds: one odd part says little of the others. */
const paceMin = 0.5;
const paceMax = 4;

/** What is still to be done in a long run, for people and for a limit of time. `nowMs`: any clock that never goes back. */
export class Agenda {
  readonly #items: readonly Item[];
  readonly #minutesMax: number | null;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #next = 0;
  /** Of those that were done, as guessed, and as they took. */
  #guessedSeconds = 0;
  #spentSeconds = 0;
  #beganMs = 0;

  /** `minutesMax`: what would end later is left out; null: nothing is. */
  constructor(items: readonly Item[], minutesMax: number | null, nowMs: () => number) {
    this.#items = items;
    this.#minutesMax = minutesMax;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  /** Of the item that comes next: where it stands and what is left, for people. Null: there is no time left for it. */
  begin(): string | null {
    const item = this.#items[this.#next];
    if (item === undefined) throw new Error('all of it is done');
    this.#next++;
    this.#beganMs = this.#nowMs();
    const place = `${this.#next} of ${this.#items.length}: ${item.name}`;
    const own = item.seconds * this.#pace;
    if (this.#minutesMax !== null && this.#elapsedSeconds + own > this.#minutesMax * 60) return null;
    const left = this.#items.slice(this.#next).reduce((sum, { seconds }) => sum + seconds * this.#pace, own);
    const bound = this.#minutesMax === null ? left : Math.min(left, this.#minutesMax * 60 - this.#elapsedSeconds);
    return `${place} (${shown(this.#elapsedSeconds)} spent, about ${shown(bound)} left)`;
  }

  /** The item that comes next will not be done: something that it needs was left out. */
  skip(): void {
    this.#next++;
  }

  /** The item that was begun is done. */
  end(): void {
    const item = this.#items[this.#next - 1];
    if (item === undefined) throw new Error('none was begun');
    this.#guessedSeconds += item.seconds;
    this.#spentSeconds += (this.#nowMs() - this.#beganMs) / 1_000;
  }

  get #elapsedSeconds(): number {
    return (this.#nowMs() - this.#startMs) / 1_000;
  }

  get #pace(): number {
    if (this.#guessedSeconds === 0) return 1;
    return Math.min(paceMax, Math.max(paceMin, this.#spentSeconds / this.#guessedSeconds));
  }
}

function shown(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
