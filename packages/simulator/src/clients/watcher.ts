import { compareText, randomInt, randomPick, type SeededRandom } from '@skerry/base';
import type { Answer, RequestHandle, WatchAnswer } from '@skerry/replica';
import type { RunViolation } from '../violation.ts';
import type { World } from '../world.ts';
import { textOf } from './caller.ts';

/** Changes that one answer told, between two cursors. */
interface Told {
  /** By partition: the entry that each cursor stands for. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** After a state that was sent: of each key the last change is enough. */
  readonly lastOnly: boolean;
  readonly changes: readonly Change[];
}

interface Change {
  readonly key: string;
  readonly value: string | null;
  readonly version: string | null;
}

interface Committed extends Change {
  readonly partition: number;
  readonly index: number;
}

const prefix = 'k';

/**
 * Follows all keys of a region by their changes alone. It goes from node to node by its cursor, whenever its connection
 * is lost and now and then without a reason.
 */
export class Watcher {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #anomalies: RunViolation[] = [];
  readonly #told: Told[] = [];
  #state: Map<string, string> = new Map();
  #cursor = '';
  /** A state that is being sent, page by page. */
  #pages: Map<string, string> | null = null;
  #afterReset = false;
  #connection = 0;
  #handle: RequestHandle | null = null;

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
    this.connect();
  }

  /** Begins anew at some node, where the cursor says. */
  connect(): void {
    const world = this.#world;
    const connection = ++this.#connection;
    if (this.#handle !== null) world.cancel(this.#handle);
    this.#pages = null;
    const machine = world.machine(randomPick(this.#random, [...world.members]));
    const { life } = machine;
    const again = (): void => {
      if (connection !== this.#connection) return;
      this.#connection++;
      world.queue.after(randomInt(this.#random, 5, 200), () => {
        if (connection + 1 === this.#connection) this.connect();
      });
    };
    const handle = world.request(
      machine.name,
      { operation: { kind: 'watch', key: prefix, prefix: true, cursor: this.#cursor }, timeoutMs: null },
      {
        onAnswer: (answer) => {
          if (connection !== this.#connection) return;
          if (!this.#take(answer)) return again();
          machine.input(life, () => machine.replica?.watchReady(handle, machine.now));
        },
        onLost: again,
      },
    );
    this.#handle = handle;
    world.queue.after(randomInt(this.#random, 500, 5_000), again);
  }

  /** Holds what it was told against what was committed, and what it has come to against what is there. */
  check(committed: readonly Committed[], held: ReadonlyMap<string, string>): RunViolation[] {
    const missed = this.#told.flatMap((told) => differences(told, committed));
    const shown = (state: ReadonlyMap<string, string>): string =>
      JSON.stringify([...state].sort(([a], [b]) => compareText(a, b)));
    if (shown(this.#state) !== shown(held))
      missed.push(`the changes came to ${shown(this.#state)}, but there is ${shown(held)}`);
    return [...this.#anomalies, ...missed.map((message) => ({ invariant: 'watch', message }))];
  }

  /** False: the node refused. */
  #take(answer: Answer): boolean {
    if (answer.kind === 'watch') {
      if (answer.reset !== undefined) this.#takePage(answer, answer.reset);
      else this.#takeChanges(answer);
      return true;
    }
    if (answer.kind !== 'error' || answer.code !== 'OVERLOADED')
      this.#anomalies.push({ invariant: 'watch', message: `a watch was answered ${JSON.stringify(answer)}` });
    return false;
  }

  #takePage({ events, cursor }: WatchAnswer, reset: 'more' | 'last'): void {
    this.#pages ??= new Map();
    for (const { key, value } of events) this.#pages.set(key, textOf(value) ?? '');
    if (reset === 'more') return;
    this.#state = this.#pages;
    this.#pages = null;
    this.#cursor = cursor;
    this.#afterReset = true;
  }

  #takeChanges({ events, cursor }: WatchAnswer): void {
    const changes = events.map(({ key, value, version }): Change => ({ key, value: textOf(value), version }));
    for (const { key, value } of changes) {
      if (value === null) this.#state.delete(key);
      else this.#state.set(key, value);
    }
    this.#told.push({ from: positionsOf(this.#cursor), to: positionsOf(cursor), lastOnly: this.#afterReset, changes });
    this.#afterReset = false;
    this.#cursor = cursor;
  }
}

/** What was left out, added or told in another order, key by key. */
function differences({ from, to, lastOnly, changes }: Told, committed: readonly Committed[]): string[] {
  const wanted = committed.filter(
    ({ key, partition, index }) =>
      key.startsWith(prefix) && index > (from[partition] ?? 0) && index <= (to[partition] ?? 0),
  );
  const keys = new Set([...wanted, ...changes].map(({ key }) => key));
  return [...keys].flatMap((key) => {
    const of = (list: readonly Change[]): string[] => {
      const found = list.filter((one) => one.key === key).map(({ value, version }) => `${value} @${version}`);
      return lastOnly ? found.slice(-1) : found;
    };
    const [told, there] = [of(changes), of([...wanted].sort((a, b) => a.index - b.index))];
    if (told.join() === there.join()) return [];
    return [
      `between entries ${from.join('.')} and ${to.join('.')} ${key} became ${there.join(', ') || 'nothing'}, but a watcher was told ${told.join(', ') || 'nothing'}`,
    ];
  });
}

/** A cursor names the entry of each partition up to which all was told; read apart from the code that writes it. */
function positionsOf(cursor: string): number[] {
  return cursor === ''
    ? []
    : cursor
        .slice(cursor.indexOf(':') + 1)
        .split('.')
        .map((part) => Number.parseInt(part, 36));
}
