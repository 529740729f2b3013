import type { Client } from '@skerry/client';
import { withCluster, type Cluster, type ClusterOptions } from './lib/cluster.ts';
import { localViews, viewDifferences, type LocalView } from './lib/local-views.ts';
import { Journal, type Caller } from './lib/model-journal.ts';
import { hasNatsServer } from './lib/nats-broker.ts';
import { judgeKey, type Action, type Shown, type Write } from './lib/plain-model.ts';
import type { Region } from './lib/region.ts';
import { report, spread, type Report, type Scenario, type ScenarioContext } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';

/** Done-line 2 of part 2. */
const goOnMsMax = 2_000;
const callersPerRegion = 8;
const warmUpMs = 1_000;
const awayMs = 2_000;

/** Each caller has the nodes of its own region first, then those of the others, and calls as fast as it is answered. */
export const regionStop: Scenario = {
  name: 'region-stop',
  summary:
    'all nodes of a region are killed under load from clients of all regions: these go on elsewhere, and nothing is lost when it returns',
  trials: 9,
  run: async (context) => {
    if (context.link === 'nats' && !hasNatsServer)
      return { figures: [], violations: [], skipped: 'there is no nats-server' };
    const options: ClusterOptions = context.link === undefined ? {} : { link: context.link };
    return withCluster(options, (cluster) => run(cluster, context));
  },
};

interface Times {
  /** Of each client of the lost region: from the kill to its next acknowledged write that was sent after it. */
  readonly goOn: number[];
  /** The same of the clients of the other regions. */
  readonly others: number[];
}

async function run(cluster: Cluster, { trials, say }: ScenarioContext): Promise<Report> {
  const times: Times = { goOn: [], others: [] };
  const violations: string[] = [];
  const counts = { acknowledged: 0, unsent: 0, undecided: 0 };
  for (let trial = 1; trial <= trials; trial++) {
    const lost = cluster.region(trial % cluster.regions.length);
    const from = times.goOn.length;
    const round = await once(cluster, { lost, prefix: `t${trial}/` }, times);
    counts.acknowledged += round.acknowledged;
    counts.unsent += round.unsent;
    counts.undecided += round.undecided;
    violations.push(...round.problems.map((problem) => `trial ${trial}: ${problem}`));
    const slowest = Math.max(...times.goOn.slice(from));
    say(
      `trial ${trial}, ${lost.name}: its clients go on within ${slowest.toFixed(0)} ms, ${round.problems.length} violations`,
    );
  }
  return report(
    [
      ...spread('kill to the next acknowledged write of each of its clients', times.goOn, { max: goOnMsMax }),
      ...spread('the same of the clients of other regions', times.others),
      { name: 'writes acknowledged', value: counts.acknowledged, unit: 'count' },
      { name: 'of these by the lost region after it was cut off', value: counts.unsent, unit: 'count' },
      { name: 'writes answered as undecided', value: counts.undecided, unit: 'count' },
    ],
    violations,
  );
}

async function once(
  cluster: Cluster,
  { lost, prefix }: { readonly lost: Region; readonly prefix: string },
  times: Times,
): Promise<{
  readonly problems: string[];
  readonly acknowledged: number;
  readonly unsent: number;
  readonly undecided: number;
}> {
  const journal = new Journal();
  const callers = await connect(cluster, journal, prefix);
  const running = callers.map((caller) => caller.run());
  await until('every client to have a write acknowledged', () => callers.every(({ lastSentMs }) => lastSentMs > 0));
  await pause(warmUpMs);

  await cluster.isolate(lost);
  const cutMs = performance.now();
  const unsentOf = (caller: StopCaller): number => caller.acknowledged.filter(({ sentMs }) => sentMs > cutMs).length;
  const losing = callers.filter(({ home }) => home === lost);
  // What it acknowledges now it has sent to nobody.
  await until('the region to acknowledge while it is cut off', () => losing.every((caller) => unsentOf(caller) > 1));
  const unsent = losing.reduce((sum, caller) => sum + unsentOf(caller), 0);
  const killedMs = performance.now();
  await Promise.all(lost.nodes.map((node) => node.kill()));
  await cluster.heal();
  const goOn = (caller: StopCaller): Promise<number> =>
    until('every client to go on', () => caller.acknowledged.find(({ sentMs }) => sentMs > killedMs)?.atMs);
  for (const caller of callers) {
    const tookMs = (await goOn(caller)) - killedMs;
    (caller.home === lost ? times.goOn : times.others).push(tookMs);
  }

  await pause(awayMs);
  for (const node of lost.nodes) node.start();
  await cluster.joined();
  for (const caller of callers) caller.stop();
  await Promise.all(running);
  // Each ticket and receipt is of the region that its caller was in; a client that knows all finds it.
  const asker = await lost.client(cluster.nodes);
  const writes = await journal.settle(cluster.regions.map(() => asker));
  await cluster.level();
  const views = await localViews(cluster, prefix);
  const problems = [...callers.flatMap((caller) => caller.problems), ...journal.problems, ...viewDifferences(views)];
  problems.push(...(await judge(writes, views)));
  await Promise.all([asker, ...callers.map(({ client }) => client)].map((client) => client.close()));
  const acknowledged = callers.reduce((sum, caller) => sum + caller.acknowledged.length, 0);
  return { problems: problems.slice(0, 20), acknowledged, unsent, undecided: journal.undecided };
}

async function connect(cluster: Cluster, journal: Journal, prefix: string): Promise<StopCaller[]> {
  const callers = cluster.regions.flatMap((home) =>
    Array.from({ length: callersPerRegion }, async (_, index) => {
      const nodes = [home, ...cluster.others(home)].flatMap((region) => region.nodes);
      const client = await home.client(nodes, { region: home.name });
      const name = `${home.name}-${index}`;
      return new StopCaller(client, { home, region: cluster.regions.indexOf(home), name, journal, prefix });
    }),
  );
  return Promise.all(callers);
}

class StopCaller {
  readonly client: Client;
  readonly home: Region;
  readonly acknowledged: { readonly sentMs: number; readonly atMs: number }[] = [];
  readonly problems: string[] = [];
  readonly #options: {
    readonly region: number;
    readonly name: string;
    readonly journal: Journal;
    readonly prefix: string;
  };
  #stopping = false;

  constructor(
    client: Client,
    { home, ...options }: { home: Region; region: number; name: string; journal: Journal; prefix: string },
  ) {
    this.client = client;
    this.home = home;
    this.#options = options;
  }

  get lastSentMs(): number {
    return this.acknowledged.at(-1)?.sentMs ?? 0;
  }

  stop(): void {
    this.#stopping = true;
  }

  /** Every write is to a key of its own, or counts. */
  async run(): Promise<void> {
    const { prefix, name } = this.#options;
    try {
      for (let step = 0; !this.#stopping; step++) {
        const consistent = step % 3 !== 1;
        const number = String(step).padStart(5, '0');
        const key = `${prefix}own/${name}/${number}`;
        await this.#write({ key, action: { type: 'register', value: number }, consistent });
        const counter = step % 2 === 0 ? `${prefix}count/${name}` : `${prefix}count/all`;
        await this.#write({ key: counter, action: { type: 'counter', amount: 1 }, consistent });
      }
    } catch (error) {
      this.problems.push(`${name}: ${String(error)}`);
    }
  }

  async #write(write: { readonly key: string; readonly action: Action; readonly consistent: boolean }): Promise<void> {
    const { region, journal } = this.#options;
    const caller: Caller = { client: this.client, region, session: 0, pinned: false };
    const { key, action, consistent } = write;
    const sentMs = performance.now();
    const wasAcknowledged = await journal.write(caller, write, () =>
      action.type === 'counter'
        ? this.client.counter(key).add(action.amount, { consistent })
        : this.client.set(key, (action as { readonly value: string }).value, { consistent }),
    );
    if (wasAcknowledged) this.acknowledged.push({ sentMs, atMs: performance.now() });
  }
}

/** Every acknowledged write is there, every increment counts once. */
async function judge(writes: readonly Write[], views: readonly LocalView[]): Promise<string[]> {
  const byKey = new Map<string, Write[]>();
  for (const write of writes) {
    const known = byKey.get(write.key);
    if (known === undefined) byKey.set(write.key, [write]);
    else known.push(write);
  }
  const problems: string[] = [];
  for (const [key, ofKey] of byKey) {
    const entry = views[0]?.entries.get(key);
    let shown: Shown | null = null;
    if (entry?.view?.type === 'counter') shown = { type: 'counter', total: entry.view.total };
    else if (entry !== undefined) shown = { type: 'register', value: entry.value ?? '', version: entry.version };
    const type = (ofKey[0] as Write).action.type;
    for (const problem of judgeKey({ type, before: null, writes: ofKey, isolations: [] }, shown))
      problems.push(`${key}: ${problem}`);
  }
  for (const key of views[0]?.entries.keys() ?? [])
    if (!byKey.has(key)) problems.push(`${key} is there, and its write was never applied`);
  return problems;
}
