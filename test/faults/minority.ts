import type { Client, View } from '@skerry/client';
import { Expectations, within } from './lib/expect.ts';
import { withRegion, type Region } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import { spread, type Scenario } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';

const patienceMs = 20_000;
/** Writes on the two sides of a cut are ordered by their clocks, which are read in milliseconds. */
const apartMs = 5;

/** One write during the cut: by the majority, consistent, or by the minority node, quorum-less. `null` deletes. */
interface Step {
  readonly by: 'majority' | 'minority';
  readonly value: string | null;
  /** The majority swaps instead of setting. */
  readonly swaps?: string;
}

interface KeyCase {
  readonly name: string;
  /** Written by everyone's agreement before the cut; null: nothing. */
  readonly base: string | null;
  readonly steps: readonly Step[];
  /** As DESIGN section 3 has it: what the key holds in the end on all nodes. */
  readonly end: string | null;
  /** What becomes of the minority's writes, in their order. */
  readonly receipts: readonly string[];
  /** The ledger's entries of the key, oldest first: loser, winner, why. */
  readonly ledger: readonly (readonly [string | null, string | null, string])[];
}

const minority = (value: string | null): Step => ({ by: 'minority', value });
const majority = (value: string | null): Step => ({ by: 'majority', value });

const cases: readonly KeyCase[] = [
  {
    name: 'minority first, majority last',
    base: null,
    steps: [minority('m1'), majority('M2')],
    end: 'M2',
    receipts: ['superseded'],
    ledger: [['m1', 'M2', 'superseded']],
  },
  {
    name: 'majority first, minority last',
    base: null,
    steps: [majority('M1'), minority('m2')],
    end: 'm2',
    receipts: ['promoted'],
    ledger: [['M1', 'm2', 'overwrote']],
  },
  {
    name: 'minority before and after the majority',
    base: 'base',
    steps: [minority('m1'), majority('M2'), minority('m3')],
    end: 'm3',
    receipts: ['superseded', 'promoted'],
    ledger: [
      ['m1', 'M2', 'superseded'],
      ['M2', 'm3', 'overwrote'],
    ],
  },
  {
    name: 'majority before and after the minority',
    base: 'base',
    steps: [majority('M1'), minority('m2'), majority('M3')],
    end: 'M3',
    receipts: ['superseded'],
    ledger: [['m2', 'M3', 'superseded']],
  },
  {
    name: 'majority swaps after the minority',
    base: 'base',
    steps: [minority('m1'), { by: 'majority', value: 'M2', swaps: 'base' }],
    end: 'M2',
    receipts: ['superseded'],
    ledger: [['m1', 'M2', 'superseded']],
  },
  {
    name: 'minority deletes what the majority wrote',
    base: 'base',
    steps: [majority('M1'), minority(null)],
    end: null,
    receipts: ['promoted'],
    ledger: [['M1', null, 'overwrote']],
  },
  {
    name: 'majority writes what the minority deleted',
    base: 'base',
    steps: [minority(null), majority('M2')],
    end: 'M2',
    receipts: ['superseded'],
    ledger: [[null, 'M2', 'superseded']],
  },
  {
    name: 'majority deletes what the minority wrote',
    base: 'base',
    steps: [minority('m1'), majority(null)],
    end: null,
    receipts: ['superseded'],
    ledger: [['m1', null, 'superseded']],
  },
  {
    name: 'minority alone, twice',
    base: 'base',
    steps: [minority('m1'), minority('m2')],
    end: 'm2',
    receipts: ['promoted', 'promoted'],
    ledger: [],
  },
  { name: 'majority alone', base: 'base', steps: [majority('M1')], end: 'M1', receipts: [], ledger: [] },
];

export const minorityWrites: Scenario = {
  name: 'minority',
  summary:
    'one node is cut off (it led or followed) and both sides write the same keys: how each ends, and who is in the ledger',
  trials: 8,
  run: ({ trials, say }) =>
    withRegion({}, async (region) => {
      const healed: number[] = [];
      const violations: string[] = [];
      for (let trial = 1; trial <= trials; trial++) {
        const leader = await region.leader();
        const alone = trial % 2 === 1 ? leader : (region.others(leader)[0] as RegionNode);
        const run = new Run(region, alone, `t${trial}/`);
        healed.push(await run.all());
        const who = alone === leader ? 'the leader cut off' : 'a follower cut off';
        violations.push(...run.expected.problems.map((problem) => `trial ${trial}, ${who}: ${problem}`));
        say(`trial ${trial}, ${who}: ${run.expected.problems.length} violations`);
      }
      return { figures: spread('from healing to the same state on all nodes', healed), violations };
    }),
};

class Run {
  readonly expected = new Expectations();
  readonly #region: Region;
  readonly #alone: RegionNode;
  readonly #prefix: string;
  /** By key: receipts of the minority's writes. */
  readonly #receipts = new Map<string, string[]>();

  constructor(region: Region, alone: RegionNode, prefix: string) {
    this.#region = region;
    this.#alone = alone;
    this.#prefix = prefix;
  }

  /** Resolves to how long the nodes took to agree once the cut was healed. */
  async all(): Promise<number> {
    const others = this.#region.others(this.#alone);
    const minorityClient = await this.#region.pinned(this.#alone);
    const majorityClient = await this.#region.pinned(others[0] as RegionNode);
    for (const { name, base } of cases) if (base !== null) await majorityClient.set(this.#key(name), base);
    await this.#region.settled();

    await this.#cut(others);
    await this.#withoutQuorum(minorityClient);
    for (const one of cases)
      for (const step of one.steps) await this.#step(one, step, { minorityClient, majorityClient });
    for (const { name, steps } of cases) {
      const own = steps.findLast(({ by }) => by === 'minority');
      const local = await minorityClient.get(this.#key(name), { consistent: false });
      if (own !== undefined) this.expected.equal(`${name}: the local view of the minority`, local.value, own.value);
    }

    const healMs = performance.now();
    await Promise.all(this.#region.nodes.map((node) => node.heal()));
    await this.#region.settled();
    const tookMs = performance.now() - healMs;
    await this.#judge();
    await minorityClient.close();
    await majorityClient.close();
    return tookMs;
  }

  async #cut(others: readonly RegionNode[]): Promise<void> {
    await Promise.all([
      this.#alone.cut(others.map(({ name }) => name)),
      ...others.map((node) => node.cut([this.#alone.name])),
    ]);
    await until('the node to notice', async () => (await this.#alone.status())?.partitions[0]?.quorum === false);
    await this.#region.leader(others);
  }

  /** What the minority node cannot do, it says. */
  async #withoutQuorum(db: Client): Promise<void> {
    const hasty = { blocking: false, timeoutMs: 100 } as const;
    const { outcome } = await db.set(`${this.#prefix}never`, 'never', hasty);
    this.expected.equal('the outcome of a consistent set by the minority', outcome, 'notApplied');
    const { timeout } = await db.get(`${this.#prefix}never`, hasty);
    this.expected.equal('the time-out of a consistent get by the minority', timeout, true);
  }

  async #step(
    { name }: KeyCase,
    { by, value, swaps }: Step,
    { minorityClient, majorityClient }: { readonly minorityClient: Client; readonly majorityClient: Client },
  ): Promise<void> {
    const key = this.#key(name);
    if (by === 'minority') {
      const options = { consistent: false } as const;
      const { receipt } = await (value === null
        ? minorityClient.delete(key, options)
        : minorityClient.set(key, value, options));
      this.#receipts.set(key, [...(this.#receipts.get(key) ?? []), receipt ?? '']);
    } else {
      const write =
        swaps !== undefined
          ? majorityClient.swap(key, value, swaps)
          : value === null
            ? majorityClient.delete(key)
            : majorityClient.set(key, value);
      const { outcome } = await within('a write by the majority', patienceMs, write);
      this.expected.equal(`${name}: the outcome of the majority's write`, outcome, 'applied');
    }
    await pause(apartMs);
  }

  async #judge(): Promise<void> {
    for (const node of this.#region.nodes) {
      const db = await this.#region.pinned(node);
      const { entries: ledger } = await db.conflicts(this.#prefix, { limit: 1_000 });
      for (const { name, end, receipts, ledger: wanted } of cases) {
        const key = this.#key(name);
        const at = `${name}, at ${node.name}`;
        const consistent = await within('a consistent get', patienceMs, db.get(key));
        this.expected.equal(`${at}: the key`, consistent.value, end);
        this.expected.equal(`${at}: the local view`, (await db.get(key, { consistent: false })).value, end);
        const states = (this.#receipts.get(key) ?? []).map((receipt) => db.receipt(receipt).wait());
        const found = (await within('the receipts', patienceMs, Promise.all(states))).map(({ state }) => state);
        this.expected.equal(`${at}: the receipts`, found, receipts);
        const entries = ledger.filter((entry) => entry.key === key).toReversed();
        const shown = entries.map(({ loser, winner, reason }) => [registerOf(loser), registerOf(winner), reason]);
        this.expected.equal(`${at}: the ledger`, shown, wanted);
      }
      this.expected.equal(`never, at ${node.name}`, (await db.get(`${this.#prefix}never`)).value, null);
      await db.close();
    }
  }

  #key(name: string): string {
    return `${this.#prefix}${name}`;
  }
}

/** null: a delete. */
function registerOf(view: View | null): string | null {
  return view?.type === 'register' ? view.value : null;
}
