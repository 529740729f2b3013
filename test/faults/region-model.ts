import { randomPick, SeededRandom } from '@skerry/base';
import type { Client, Entry } from '@skerry/client';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Clocks, hasFaketime } from './lib/clocks.ts';
import { withCluster, type Cluster } from './lib/cluster.ts';
import { entryText, localViews, viewDifferences } from './lib/local-views.ts';
import { Journal, type Caller } from './lib/model-journal.ts';
import { keyOf, keysPerType, ModelSession } from './lib/model-session.ts';
import { judgeKey, type Isolation, type Shown, type Write } from './lib/plain-model.ts';
import { RandomFaults } from './lib/random-faults.ts';
import type { Report, Scenario, ScenarioContext } from './lib/scenario.ts';
import { typedReadProblems } from './lib/typed-reads.ts';

/** Done-line 6 of part 2. */
const callCount = 100_000;
const callsPerRound = 10_000;
const shortVariant = { callCount: 3_000, callsPerRound: 1_500 };
/** Clients of each node that stay with it, and as many of its region that go to any node. */
const clientsPerNode = 2;
/** Each makes its calls one after the other; together they keep nodes and judge busy, also while some wait for a dead node. */
const sessionsPerClient = 5;
/** Drawn by each session: short ones are fenced, and end undecided; long ones live through an election. */
const timeoutsMs = [500, 1_500, 4_000] as const;
/** For what has to come about once all is healed; the machine may have other work. */
const patienceMs = 180_000;
const firstSeed = 1;
const types = ['register', 'counter', 'set', 'flag', 'multi', 'document'] as const;

/**
 * Callers of three regions make random calls on values of all types while regions are cut apart, nodes and regions are
 * killed and clocks jump. In rounds: after each all is healed, all nodes must show the same, and what they show must be
 * what a plain model makes of what the callers were told.
 */
export const regionModel: Scenario = {
  name: 'region-model',
  summary: `${callCount} random calls on all types across three regions under faults: all nodes equal, and equal to a plain model`,
  trials: 5,
  run: async (context) => {
    const totals = new Totals();
    const violations: string[] = [];
    const from = context.seed ?? firstSeed;
    for (let seed = from; seed < from + context.trials; seed++) {
      try {
        const { problems } = await runSeed(seed, context, totals);
        violations.push(...problems.map((problem) => `seed ${seed}: ${problem}`));
      } catch (error) {
        // The other seeds are judged all the same.
        violations.push(`seed ${seed}: ${(error as Error).message}`);
      }
    }
    if (!hasFaketime) context.say('without faketime (Debian package faketime), no clock was made to jump');
    return { figures: totals.figures(), violations };
  },
};

class Totals {
  calls = 0;
  acknowledged = 0;
  undecided = 0;
  rounds = 0;
  readonly faults = new Map<string, number>();
  /** Milliseconds spent, by what they were spent on. */
  readonly spent = new Map<string, number>();

  /** Counts the time until `work` is done as spent on `what`. */
  async timed<T>(what: string, work: Promise<T>): Promise<T> {
    const fromMs = performance.now();
    try {
      return await work;
    } finally {
      this.spent.set(what, (this.spent.get(what) ?? 0) + performance.now() - fromMs);
    }
  }

  figures(): Report['figures'] {
    return [
      { name: 'calls that write', value: this.calls, unit: 'count' },
      { name: 'acknowledged or found to be applied', value: this.acknowledged, unit: 'count' },
      { name: 'answered as undecided', value: this.undecided, unit: 'count' },
      { name: 'rounds, each judged', value: this.rounds, unit: 'count' },
      ...[...this.faults].map(([kind, value]) => ({ name: `fault: ${kind}`, value, unit: 'count' as const })),
      ...[...this.spent].map(([what, value]) => ({ name: `time: ${what}`, value, unit: 'ms' as const })),
    ];
  }
}

async function runSeed(
  seed: number,
  context: ScenarioContext,
  totals: Totals,
): Promise<{ readonly problems: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-clocks-'));
  const clocks = new Clocks(folder);
  const link = context.link === undefined ? {} : { link: context.link };
  try {
    const { violations } = await withCluster({ ...link, env: (node) => clocks.env(node) }, async (cluster) => {
      const run = new ModelRun(cluster, { seed, clocks: hasFaketime ? clocks : null, context, totals });
      return { violations: await run.all() };
    });
    return { problems: violations };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class ModelRun {
  readonly #cluster: Cluster;
  readonly #context: ScenarioContext;
  readonly #totals: Totals;
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #faults: RandomFaults;
  readonly #journal = new Journal();
  readonly #prefix: string;
  #sessions: ModelSession[] = [];
  /** One of each region, for what has to be asked when all is healed. */
  #askers: Client[] = [];
  /** What all nodes showed after the last round. */
  #shown = new Map<string, Shown>();

  constructor(
    cluster: Cluster,
    options: {
      readonly seed: number;
      readonly clocks: Clocks | null;
      readonly context: ScenarioContext;
      readonly totals: Totals;
    },
  ) {
    this.#cluster = cluster;
    this.#seed = options.seed;
    this.#random = new SeededRandom(options.seed);
    this.#prefix = `s${options.seed}/`;
    this.#context = options.context;
    this.#totals = options.totals;
    this.#faults = new RandomFaults(cluster, this.#random.fork(), options.clocks);
  }

  /** Ends with the first round that breaks a promise; returns what it broke. */
  async all(): Promise<string[]> {
    const { callCount: count, callsPerRound: perRound } =
      this.#context.short === true ? shortVariant : { callCount, callsPerRound };
    const startMs = performance.now();
    await this.#connect();
    let problems = await this.#makeDocuments();
    while (this.#journal.calls < count && problems.length === 0) {
      problems = await this.#round(Math.min(this.#journal.calls + perRound, count));
    }
    if (problems.length === 0)
      problems = await this.#totals.timed('typed reads', typedReadProblems(this.#cluster, this.#shown));
    this.#totals.calls += this.#journal.calls;
    this.#totals.undecided += this.#journal.undecided;
    for (const [kind, value] of this.#faults.counts)
      this.#totals.faults.set(kind, (this.#totals.faults.get(kind) ?? 0) + value);
    const refusals = [...this.#journal.refusals].map(([code, times]) => `${code} ${times}`).join(', ');
    const seconds = Math.round((performance.now() - startMs) / 1_000);
    this.#context.say(
      `seed ${this.#seed}: ${this.#journal.calls} calls in ${seconds} s, ${this.#journal.undecided} undecided; not applied: ${refusals}; ${problems.length} violations`,
    );
    return problems.slice(0, 20);
  }

  /** In each region clients of each node, and as many that go to any of them, each used by several sessions. */
  async #connect(): Promise<void> {
    for (const [index, region] of this.#cluster.regions.entries()) {
      this.#askers.push(await region.client(region.nodes, { discover: false }));
      const places = Array.from({ length: clientsPerNode }, () => region.nodes).flat();
      const pinned = await Promise.all(places.map((node) => region.pinned(node)));
      const free = await Promise.all(places.map(() => region.client(region.nodes, { discover: false })));
      for (const client of pinned) this.#addSessions({ client, region: index, pinned: true });
      for (const client of free) this.#addSessions({ client, region: index, pinned: false });
    }
  }

  #addSessions(caller: Omit<Caller, 'session'>): void {
    for (let count = 0; count < sessionsPerClient; count++) {
      const session = this.#sessions.length;
      const options = {
        random: this.#random.fork(),
        journal: this.#journal,
        prefix: this.#prefix,
        timeoutMs: randomPick(this.#random, timeoutsMs),
      };
      this.#sessions.push(new ModelSession({ ...caller, session }, options));
    }
  }

  /** Two that create the text of one document at once create two texts, of which one is seen: so it is there before. */
  async #makeDocuments(): Promise<string[]> {
    const [client] = this.#askers;
    for (let number = 0; number < keysPerType; number++) {
      await client?.document(keyOf(this.#prefix, 'document', number)).change((draft) => (draft['text'] = ''));
    }
    return this.#judge([], []);
  }

  async #round(untilCalls: number): Promise<string[]> {
    const isOver = (): boolean => this.#journal.calls >= untilCalls;
    const [isolations] = await this.#totals.timed(
      'calls under faults',
      Promise.all([
        this.#faults.run(isOver),
        ...this.#sessions.map(async (session) => {
          while (!isOver()) await session.step();
        }),
      ]),
    );
    await this.#totals.timed('healing', this.#cluster.joined(patienceMs));
    const writes = await this.#totals.timed('what became of each call', this.#journal.settle(this.#askers));
    this.#totals.rounds++;
    this.#totals.acknowledged += writes.filter(({ isApplied }) => isApplied).length;
    const judged = await this.#totals.timed('comparing and judging', this.#judge(writes, isolations));
    return [...this.#journal.problems, ...judged];
  }

  async #judge(writes: readonly Write[], isolations: readonly Isolation[]): Promise<string[]> {
    await this.#cluster.level(patienceMs);
    const views = await localViews(this.#cluster, this.#prefix);
    const problems = viewDifferences(views);
    const shown = new Map<string, Shown>();
    for (const entry of views[0]?.entries.values() ?? []) shown.set(entry.key, await shownOf(entry));
    const byKey = new Map<string, Write[]>();
    for (const write of writes) byKey.set(write.key, [...(byKey.get(write.key) ?? []), write]);
    for (const type of types) {
      for (let number = 0; number < keysPerType; number++) {
        const key = keyOf(this.#prefix, type, number);
        const history = { type, before: this.#shown.get(key) ?? null, writes: byKey.get(key) ?? [], isolations };
        for (const problem of judgeKey(history, shown.get(key) ?? null)) problems.push(`${key}: ${problem}`);
      }
    }
    for (const entry of views[0]?.entries.values() ?? [])
      if (!types.some((type) => entry.key.startsWith(`${this.#prefix}${type}/`)))
        problems.push(`nobody wrote ${entry.key}: ${entryText(entry)}`);
    this.#shown = shown;
    return problems;
  }
}

/** As the plain model speaks of it. */
async function shownOf({ value, view, version }: Entry): Promise<Shown> {
  if (view === undefined) return { type: 'register', value: value ?? '', version };
  switch (view.type) {
    case 'register':
      return { type: 'register', value: view.value, version };
    case 'counter':
      return { type: 'counter', total: view.total };
    case 'set':
      return { type: 'set', elements: new Set(view.elements) };
    case 'flag':
      return { type: 'flag', enabled: view.enabled };
    case 'multiRegister':
      return { type: 'multi', values: new Set(view.values) };
    case 'document': {
      const { text, ...fields } = (await view.read()) as Record<string, unknown>;
      return { type: 'document', fields: new Set(Object.keys(fields)), tokens: tokensOf(String(text)) };
    }
  }
}

/** What stands between tokens counts as one. */
function tokensOf(text: string): string[] {
  return text.split(/<([^<>]*)>/).filter((part) => part !== '');
}
