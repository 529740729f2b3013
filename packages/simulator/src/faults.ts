import { randomChance, randomInt, randomPick, type SeededRandom } from '@skerry/base';
import type { Machine } from './machine.ts';
import { MemberFaults } from './member-faults.ts';
import type { FaultKind } from './plan.ts';
import type { World } from './world.ts';

const failureNames = {
  torn: 'write torn',
  writeError: 'write failed',
  syncError: 'sync failed',
  readError: 'read failed',
} as const;

/** Makes things go wrong, one after the other and several at once, and right again before the end. */
export class Faults {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #kinds: readonly FaultKind[];
  readonly #members: MemberFaults;
  #stopped = false;

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
    this.#kinds = [...world.plan.faults];
    this.#members = new MemberFaults(world, random.fork());
    world.onCrashInTurn = (machine) => {
      world.sometimes.saw('crash in a turn');
      this.#crash(machine, randomChance(random, 0.5));
    };
    world.onDiskFailure = (machine, failure) => {
      world.sometimes.saw(failureNames[failure]);
      // The power goes, or the process ends by itself.
      this.#crash(machine, failure !== 'torn');
    };
    if (this.#kinds.length > 0) this.#next();
  }

  /** The safety phase is over: everything works again, and goes on working. */
  heal(): void {
    this.#stopped = true;
    const { machines, network } = this.#world;
    network.faults.lossy = false;
    network.faults.duplicates = false;
    network.faults.reordering = false;
    this.#world.losesAnswers = false;
    network.healAll();
    for (const machine of machines.values()) {
      machine.crashAfterSteps = null;
      machine.disk.heal();
      machine.failRead(null);
      machine.disk.setFull(false);
      machine.clock.correct();
      machine.resume();
      if (!machine.isUp) this.#world.start(machine);
    }
  }

  /** All its processes end, some by a power cut; each comes back in its time. */
  crashAll(): void {
    for (const machine of this.#world.machines.values()) this.#crash(machine, randomChance(this.#random, 0.5));
  }

  #next(): void {
    const { queue, plan } = this.#world;
    queue.after(randomInt(this.#random, 1, 2 * plan.faultEveryMs), () => {
      if (this.#stopped) return;
      this.#next();
      this.#make(randomPick(this.#random, this.#kinds));
    });
  }

  #make(kind: FaultKind): void {
    const { network, sometimes, trace } = this.#world;
    const machine = randomPick(this.#random, [...this.#world.machines.values()]);
    const other = randomPick(this.#random, [...this.#world.machines.values()]);
    const forMs = randomInt(this.#random, 1, randomPick(this.#random, [30, 300, 1_500, 4_000]));
    trace.line(`fault ${kind} ${machine.name} ${other.name} ${forMs}`);
    switch (kind) {
      case 'crash':
        return this.#crash(machine, true);
      case 'powerCut':
        sometimes.saw('power cut');
        return this.#crash(machine, false);
      case 'crashInTurn':
        machine.crashAfterSteps = randomInt(this.#random, 0, 30);
        return;
      case 'crashAll':
        if (randomChance(this.#random, 0.7)) return;
        sometimes.saw('all crashed');
        for (const one of this.#world.machines.values()) this.#crash(one, randomChance(this.#random, 0.5));
        return;
      case 'pause':
        if (!machine.isUp) return;
        sometimes.saw('process paused');
        machine.pause();
        return this.#later(forMs, () => machine.resume());
      case 'cut':
        return this.#split(forMs);
      case 'oneWayCut':
        if (machine === other) return;
        if (randomChance(this.#random, 0.3)) return network.breakConnection(machine.name, other.name);
        sometimes.saw('one-way cut');
        network.cut(machine.name, other.name);
        return this.#later(forMs, () => network.heal(machine.name, other.name));
      case 'lossyLinks':
        network.faults.lossy = true;
        return this.#later(forMs, () => {
          network.faults.lossy = false;
        });
      case 'duplicates':
        network.faults.duplicates = true;
        return this.#later(forMs, () => {
          network.faults.duplicates = false;
        });
      case 'reordering':
        network.faults.reordering = true;
        return this.#later(forMs, () => {
          network.faults.reordering = false;
        });
      case 'lostAnswers':
        this.#world.losesAnswers = true;
        return this.#later(forMs, () => {
          this.#world.losesAnswers = false;
        });
      case 'slowDisk':
        machine.disk.slowness = randomPick(this.#random, [5, 30, 200]);
        return this.#later(forMs, () => {
          machine.disk.slowness = 1;
        });
      case 'diskHang':
        sometimes.saw('disk hung');
        machine.disk.hangs = true;
        return this.#later(forMs, () => machine.disk.heal());
      case 'diskFull':
        machine.disk.setFull(true);
        return this.#later(forMs, () => machine.disk.setFull(false));
      case 'clockJump':
        sometimes.saw('clock jumped');
        machine.clock.jump(randomPick(this.#random, [-3_600_000, -400, -20, 20, 400, 3_600_000]));
        return;
      case 'clockDrift':
        sometimes.saw('clock drifted');
        machine.clock.setRate(randomPick(this.#random, [0.9, 0.999, 1.001, 1.1, 2]));
        return;
      case 'clockFreeze':
        sometimes.saw('clock frozen');
        machine.clock.setRate(0);
        return this.#later(forMs, () => machine.clock.setRate(1));
      case 'tornWrite':
        machine.disk.failsNext = 'torn';
        return;
      case 'writeError':
      case 'syncError':
        machine.disk.failsNext = kind;
        return;
      case 'readError':
        return machine.failRead(randomInt(this.#random, 0, randomPick(this.#random, [10, 100, 1_000])));
      case 'transfer':
        return this.#transfer(machine);
      case 'wipe':
        return this.#members.replace(machine);
      case 'members':
        return this.#members.change(machine);
    }
  }

  #crash(machine: Machine, reset: boolean): void {
    if (!machine.isUp) return;
    this.#world.crash(machine, reset);
    const { life } = machine;
    this.#later(randomInt(this.#random, 1, randomPick(this.#random, [5, 200, 3_000])), () => {
      if (!machine.isUp && machine.life === life) this.#world.start(machine);
    });
  }

  /** Cuts the nodes into two groups, sometimes leaving a bridge. */
  #split(forMs: number): void {
    const { network, machines } = this.#world;
    const names = [...machines.keys()];
    const left = new Set(names.filter(() => randomChance(this.#random, 0.5)));
    const bridge = randomChance(this.#random, 0.3) ? randomPick(this.#random, names) : null;
    const cuts: (readonly [(typeof names)[number], (typeof names)[number]])[] = [];
    for (const a of names) {
      for (const b of names)
        if (a !== b && left.has(a) !== left.has(b) && a !== bridge && b !== bridge) cuts.push([a, b]);
    }
    if (cuts.length > 0) this.#world.sometimes.saw(bridge === null ? 'nodes cut off' : 'nodes cut off, with a bridge');
    for (const [a, b] of cuts) network.cut(a, b);
    this.#later(forMs, () => {
      for (const [a, b] of cuts) network.heal(a, b);
    });
  }

  #transfer(machine: Machine): void {
    const { plan } = this.#world;
    const to = randomChance(this.#random, 0.5) ? null : randomPick(this.#random, [...this.#world.machines.keys()]);
    const partition = randomInt(this.#random, 0, plan.partitionCount - 1);
    this.#world.request(
      machine.name,
      { operation: { kind: 'transferLeadership', partition, to }, timeoutMs: 1_000 },
      {
        onAnswer: (answer) => {
          if (answer.kind === 'done') this.#world.sometimes.saw('leadership transferred');
        },
        onLost: () => {},
      },
    );
  }

  #later(afterMs: number, run: () => void): void {
    this.#world.queue.after(afterMs, () => {
      if (!this.#stopped) run();
    });
  }
}
