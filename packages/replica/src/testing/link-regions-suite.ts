import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { utf8Encode } from '@skerry/base';
import type { Answer, Operation, ValueChange, ValueType } from '../requests.ts';
import type { LinkHarness } from './link-harness.ts';
import { LinkedRegions, type Distortion } from './link-regions.ts';
import type { LinkSuiteOptions } from './link-suite.ts';
import type { Call } from './world.ts';

/** One thing that goes wrong while regions exchange. */
interface Fault {
  readonly name: string;
  /** Begins it; what it returns ends it. */
  readonly begin: (linked: LinkedRegions, harness: LinkHarness) => Promise<() => Promise<void> | void>;
  /** Bytes of a value, for faults that need much to be sent. */
  readonly valueBytes?: number;
  /** The fault is one of deliveries: it lasts until enough of them were hit. */
  readonly isDistortion?: boolean;
}

function distortion(name: string, change: Partial<Distortion>): Fault {
  return {
    name,
    isDistortion: true,
    begin: async ({ distortion: current }) => {
      Object.assign(current, change);
      return () => void Object.assign(current, { duplicate: false, replay: false, drop: 0, reorder: false });
    },
  };
}

const faults: readonly Fault[] = [
  { name: 'nothing at all', begin: async () => () => {} },
  distortion('everything comes twice', { duplicate: true }),
  distortion('everything comes again from the start, again and again', { replay: true }),
  distortion('a third of everything is lost', { drop: 0.33 }),
  distortion('nothing keeps its order', { reorder: true }),
  distortion('all of that at once', { duplicate: true, replay: true, drop: 0.2, reorder: true }),
  {
    name: 'one region is cut off from both others',
    begin: async (linked) => {
      const [r1, r2, r3] = linked.regions as [never, never, never];
      for (const other of [r2, r3]) linked.cut(r1, other);
      return () => [r2, r3].forEach((other) => linked.heal(r1, other));
    },
  },
  {
    name: 'two regions reach each other through the third only',
    begin: async (linked) => {
      const [r1, r2] = linked.regions as [never, never];
      linked.cut(r1, r2);
      return () => {};
    },
  },
  {
    name: 'a reader is slow',
    valueBytes: 100_000,
    begin: async (linked, harness) => harness.faults.slowReader(linked.endpoint(linked.regions[1]!)),
  },
];

const logFaults: readonly Fault[] = [
  {
    name: 'the log stands still',
    begin: async (_, harness) => logOf(harness).stall(),
  },
  {
    name: 'the log is purged',
    begin: async (linked, harness) => {
      await logOf(harness).purge(linked.regions[0]!);
      return () => logOf(harness).purge(linked.regions[1]!);
    },
  },
  {
    name: 'the log is deleted and made anew',
    begin: async (linked, harness) => {
      await logOf(harness).recreate(linked.regions[0]!);
      return () => logOf(harness).recreate(linked.regions[1]!);
    },
  },
];

/**
 * The second part of the suite of the link port: replicas over real links. Whatever the link does makes convergence
 * slow and never wrong. Give it a harness with the link's usual limits.
 */
export function describeRegionsOverLink(name: string, { create, hasLog }: LinkSuiteOptions): void {
  describe(`${name}: regions converge, and every effect is applied once, when`, { timeout: 90_000 }, () => {
    let harness: LinkHarness;
    let linked: LinkedRegions | null = null;
    beforeEach(async () => {
      harness = await create();
    });
    afterEach(async () => {
      linked?.end();
      linked = null;
      await harness.close();
    });

    it.each([...faults, ...(hasLog ? logFaults : [])])('$name', async ({ begin, valueBytes = 10, isDistortion }) => {
      linked = await LinkedRegions.start(harness, { sizes: [3, 1, 1], hasLog });
      const writes = new Writes(linked, valueBytes);
      await writes.make(30);
      const { logged, regions: all } = linked;
      if (hasLog) await linked.until('each region has a log', () => logged.size === all.length);
      const end = await begin(linked, harness);
      await writes.make(240);
      // What goes together in one frame or batch is the link's affair: go on until enough of them were hit.
      while (isDistortion === true && linked.distorted < 30) await writes.make(10);
      await end();
      await writes.make(30);
      const regions = linked;
      await regions.until('convergence', () => regions.isConverged(), 60_000);
      await writes.check();
    });
  });
}

/** Writes of all regions to the same keys, and what must come of them. */
class Writes {
  readonly #linked: LinkedRegions;
  readonly #valueBytes: number;
  #count = 0;
  #total = 0;
  readonly #elements = new Set<string>();

  constructor(linked: LinkedRegions, valueBytes: number) {
    this.#linked = linked;
    this.#valueBytes = valueBytes;
  }

  /** Makes writes, some at a time, each answered. */
  async make(count: number): Promise<void> {
    for (let made = 0; made < count; made += 10) {
      const calls = Array.from({ length: 10 }, () => this.#next());
      await this.#linked.until('answers', () => calls.every(({ answer }) => answer !== undefined));
      for (const { answer } of calls) expect(answer).toMatchObject({ kind: 'key', valid: true });
    }
  }

  /** Each increment counts once, each element is there, in every region. */
  async check(): Promise<void> {
    for (const region of this.#linked.regions.keys()) {
      expect(viewOf(await this.#linked.ask(region, read('n', 'counter')))).toEqual({
        type: 'counter',
        total: String(this.#total),
      });
      const elements = [...this.#elements].sort().map((name) => utf8Encode(name));
      expect(viewOf(await this.#linked.ask(region, read('s', 'set')))).toEqual({ type: 'set', elements });
    }
  }

  #next(): Call {
    const i = this.#count++;
    const region = i % 3;
    const consistent = i % 2 === 0;
    switch (Math.floor(i / 3) % 3) {
      case 0:
        this.#total += i + 1;
        return this.#linked.call(region, update('n', { type: 'counter', action: 'add', amount: i + 1 }, consistent));
      case 1:
        this.#elements.add(`e${i}`);
        return this.#linked.call(
          region,
          update('s', { type: 'set', action: 'add', element: utf8Encode(`e${i}`) }, consistent),
        );
      default:
        return this.#linked.call(region, {
          kind: 'set',
          key: `k${i % 10}`,
          value: new Uint8Array(this.#valueBytes).fill(i),
          consistent,
        });
    }
  }
}

function logOf({ faults: { log } }: LinkHarness): NonNullable<LinkHarness['faults']['log']> {
  if (log === undefined) throw new Error('a harness of a link with a log has faults of the log');
  return log;
}

const update = (key: string, change: ValueChange, consistent: boolean): Operation => ({
  kind: 'update',
  key,
  change,
  consistent,
});
const read = (key: string, type: ValueType): Operation => ({ kind: 'read', key, type, consistent: true });

function viewOf(answer: Answer): unknown {
  if (answer.kind !== 'key') throw new Error(`not a key answer: ${JSON.stringify(answer)}`);
  return answer.view;
}
