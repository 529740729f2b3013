import { SeededRandom } from '@skerry/base';
import { textOf } from './clients/caller.ts';
import { Watcher } from './clients/watcher.ts';
import type { System } from './system.ts';
import type { RunViolation } from './violation.ts';
import type { World } from './world.ts';

const salt = 0x3a7c4;
/** Time for the last answers. */
const restMs = 400;

/** The watchers of a world: some worlds have none. Their chance comes from a stream of their own. */
export class Watchers {
  readonly #world: World;
  readonly #watchers: readonly Watcher[];

  constructor({ plan, worlds }: System) {
    this.#world = worlds[0] as World;
    const random = new SeededRandom(plan.seed + salt * 2 ** 16);
    // A value of another type than the register is told as it is by then, not as each change left it.
    const isPlain = plan.others.length === 0 && plan.types.length === 0;
    const count = isPlain ? ([0, 0, 1, 2][random.uint32() % 4] as number) : 0;
    this.#watchers = Array.from({ length: count }, () => new Watcher(this.#world, random.fork()));
  }

  /** Call it when the world is whole and nothing is written any more. */
  check(): RunViolation[] {
    if (this.#watchers.length === 0) return [];
    const { queue } = this.#world;
    // What was lost with an answer on a connection that lives is told on the next one.
    for (const watcher of this.#watchers) watcher.connect();
    const endMs = queue.nowMs + restMs;
    while (queue.step(endMs));
    const held = heldIn(this.#world);
    return this.#watchers.flatMap((watcher) => watcher.check(this.#world.observer.committed, held));
  }
}

/** What a node of the world that is whole holds committed. */
function heldIn(world: World): Map<string, string> {
  const machine = [...world.machines.values()].find(({ isUp, name }) => isUp && world.members.has(name));
  const { replica } = machine ?? {};
  if (machine === undefined || replica === null || replica === undefined) return new Map();
  replica.request(
    -3,
    {
      operation: { kind: 'list', prefix: 'k', after: '', limit: 1_000, consistent: false, keysOnly: false },
      timeoutMs: null,
    },
    machine.now,
  );
  const answer = replica.flush(machine.now)?.answers.find(({ handle }) => handle === -3)?.answer;
  return new Map(
    answer?.kind === 'list' ? answer.entries.map(({ key, value }) => [key, textOf(value) ?? ''] as const) : [],
  );
}
