import { withCluster, type Cluster, type ClusterOptions } from './lib/cluster.ts';
import { inParallel } from './lib/in-parallel.ts';
import { localViews, viewDifferences } from './lib/local-views.ts';
import { hasNatsServer } from './lib/nats-broker.ts';
import { PacedWriter, sharedNowMs, type DoneWrite } from './lib/paced-writers.ts';
import { processorMs } from './lib/processor-time.ts';
import type { Region } from './lib/region.ts';
import type { Figure, Report, Scenario, ScenarioContext } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';

/** Done-line 3 of part 2, its second half. */
const operations = 200_000;
const perSecondMin = 20_000;
const slowedMax = 1.2;
/** Each key is written several times, and its last value is known. */
const keyCount = 50_000;
/** Of the clients whose speed is compared, per live region. */
const writesPerSecond = 250;
const beforeMs = 10_000;
const shortVariant = { operations: 6_000, keyCount: 1_500, beforeMs: 1_000, writesPerSecond: 50 };

type Plan = typeof shortVariant;

/**
 * All nodes of one region are killed, the others go on for many operations, and it comes back. Two processes write to the
 * live regions at a steady rate all the time; their speed while it catches up is compared with that of before.
 */
export const regionCatchUp: Scenario = {
  name: 'region-catch-up',
  summary: `a region is away for ${operations} operations of the others: how fast it catches up, and what their clients feel of it`,
  trials: 2,
  run: async (context) => {
    if (context.link === 'nats' && !hasNatsServer)
      return { figures: [], violations: [], skipped: 'there is no nats-server' };
    const options: ClusterOptions = context.link === undefined ? {} : { link: context.link };
    return withCluster(options, (cluster) => run(cluster, context));
  },
};

interface CatchUp {
  readonly perSecond: number;
  /** From the start of the processes to the first operation that was caught up. */
  readonly startMs: number;
  /** Processor time of the region's nodes per operation, microseconds: whoever leads, and the mean of the others. */
  readonly leaderMicros: number;
  readonly followerMicros: number;
  /** Of the live regions' clients: while it caught up against before. */
  readonly slowed: { readonly median: number; readonly throughput: number };
  readonly calls: { readonly before: Speed; readonly during: Speed };
}

interface Speed {
  readonly perSecond: number;
  readonly medianMs: number;
  readonly p99Ms: number;
}

async function run(cluster: Cluster, { trials, short = false, say }: ScenarioContext): Promise<Report> {
  const plan = short ? shortVariant : { operations, keyCount, beforeMs, writesPerSecond };
  const measured: CatchUp[] = [];
  const violations: string[] = [];
  for (let trial = 1; trial <= trials; trial++) {
    const { catchUp, problems } = await once(cluster, { ...plan, prefix: `t${trial}/` }, say);
    measured.push(catchUp);
    violations.push(...problems.map((problem) => `trial ${trial}: ${problem}`));
    say(`trial ${trial}: ${catchUp.perSecond.toFixed(0)} operations/s, ${problems.length} violations`);
  }
  const slowest = Math.min(...measured.map(({ perSecond }) => perSecond));
  if (!short && slowest < perSecondMin)
    violations.push(`caught up at ${slowest.toFixed(0)} operations/s, at least ${perSecondMin} are promised`);
  return { figures: figuresOf(measured), violations };
}

function figuresOf(measured: readonly CatchUp[]): Figure[] {
  const worst = (name: string, unit: Figure['unit'], value: (one: CatchUp) => number, max?: number): Figure => ({
    name,
    value: Math.max(...measured.map(value)),
    unit,
    ...(max === undefined ? {} : { max }),
  });
  return [
    { name: 'caught up, slowest', value: Math.min(...measured.map(({ perSecond }) => perSecond)), unit: 'per second' },
    { name: 'caught up, fastest', value: Math.max(...measured.map(({ perSecond }) => perSecond)), unit: 'per second' },
    worst('start of the processes to the first operation', 'ms', ({ startMs }) => startMs),
    worst('processor time of its leader, per operation', 'µs', ({ leaderMicros }) => leaderMicros),
    worst('processor time of a follower, per operation', 'µs', ({ followerMicros }) => followerMicros),
    worst("live regions' writes before, p50", 'ms', ({ calls }) => calls.before.medianMs),
    worst("live regions' writes before, p99", 'ms', ({ calls }) => calls.before.p99Ms),
    worst('while it catches up, p50', 'ms', ({ calls }) => calls.during.medianMs),
    worst('while it catches up, p99', 'ms', ({ calls }) => calls.during.p99Ms),
    worst('median against before', 'times', ({ slowed }) => slowed.median, slowedMax),
    worst('time per write (1/throughput) against before', 'times', ({ slowed }) => slowed.throughput, slowedMax),
  ];
}

async function once(
  cluster: Cluster,
  plan: Plan & { readonly prefix: string },
  say: (line: string) => void,
): Promise<{ readonly catchUp: CatchUp; readonly problems: string[] }> {
  const away = cluster.region(2);
  const live = cluster.others(away);
  const writers = await Promise.all(
    live.map((region) =>
      PacedWriter.start(region.nodes, {
        prefix: `${plan.prefix}steady/${region.name}/`,
        keyCount: 1_000,
        perSecond: plan.writesPerSecond,
        openMax: 1_000,
      }),
    ),
  );
  const beforeMs = sharedNowMs();
  await pause(plan.beforeMs);
  const before = { fromMs: beforeMs, toMs: sharedNowMs() };
  await Promise.all(away.nodes.map((node) => node.kill()));
  await Promise.all(live.map((region, index) => fill(region, { ...plan, share: index })));
  say(`${plan.operations} operations written without ${away.name}`);

  const { during, applied, startMs, leaderMicros, followerMicros } = await comeBack(cluster, away);
  await Promise.all(writers.map((writer) => writer.stop()));
  const problems = writers.flatMap(({ failures }) => failures).slice(0, 10);
  if (applied < plan.operations) problems.push(`only ${applied} operations were caught up`);
  await cluster.level();
  const views = await localViews(cluster, `${plan.prefix}bulk/`);
  problems.push(...viewDifferences(views));
  const right = [...(views[0]?.entries.values() ?? [])].filter(({ key, value }) =>
    isLast(key, Number(value), plan),
  ).length;
  if (right !== plan.keyCount) problems.push(`${right} keys have their last value, not ${plan.keyCount}`);
  const calls = { before: speedOf(writers, before), during: speedOf(writers, during) };
  const slowed = {
    median: calls.during.medianMs / calls.before.medianMs,
    throughput: calls.before.perSecond / calls.during.perSecond,
  };
  const perSecond = (applied * 1_000) / (during.toMs - during.fromMs);
  return { catchUp: { perSecond, startMs, leaderMicros, followerMicros, slowed, calls }, problems };
}

/** Each live region writes the operations whose number is its share, modulo two. */
async function fill(region: Region, plan: Plan & { readonly prefix: string; readonly share: number }): Promise<void> {
  const client = await region.client(region.nodes, { discover: false });
  // Never two calls for one key at once: it would not be known which is the last.
  await inParallel({ count: plan.operations / 2, open: Math.min(500, plan.keyCount / 4) }, async (index) => {
    const number = 2 * index + plan.share;
    const { outcome } = await client.set(`${plan.prefix}bulk/${number % plan.keyCount}`, String(number));
    if (outcome !== 'applied') throw new Error(`a blocking set ended ${outcome}`);
  });
  await client.close();
}

function isLast(key: string, number: number, plan: Plan & { readonly prefix: string }): boolean {
  const index = Number(key.slice(`${plan.prefix}bulk/`.length));
  return number % plan.keyCount === index && number + plan.keyCount >= plan.operations;
}

interface Window {
  /** By the clock that the measuring processes share. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Starts the region's nodes; returns when its leader has applied what the others had at that moment. */
async function comeBack(
  cluster: Cluster,
  away: Region,
): Promise<{
  readonly during: Window;
  readonly applied: number;
  readonly startMs: number;
  readonly leaderMicros: number;
  readonly followerMicros: number;
}> {
  const heads = await headsOf(cluster.others(away));
  const startedMs = sharedNowMs();
  for (const node of away.nodes) node.start();
  const leader = await away.leader();
  const behind = async (): Promise<number> => {
    const status = await leader.status();
    if (status === null) return Number.NaN;
    return [...heads].reduce((sum, [name, head]) => {
      const known = status.regions.find(({ region }) => region === name)?.partitions[0];
      return sum + (known === undefined ? head : Math.max(0, head - known.applied));
    }, 0);
  };
  const total = await until('how far the region is behind', behind);
  const usedBefore = away.nodes.map((node) => processorMs(node.pid));
  let fromMs = sharedNowMs();
  await until('the first operation to arrive', async () => {
    const askedMs = sharedNowMs();
    if ((await behind()) < total) return true;
    fromMs = askedMs;
    return false;
  });
  await until('the region to have caught up', async () => (await behind()) === 0, 120_000);
  const toMs = sharedNowMs();
  const usedMicros = away.nodes.map(
    (node, index) => ((processorMs(node.pid) - (usedBefore[index] ?? 0)) * 1_000) / total,
  );
  const leaderAt = away.nodes.indexOf(leader);
  const followers = usedMicros.filter((_, index) => index !== leaderAt);
  return {
    during: { fromMs, toMs },
    applied: total,
    startMs: fromMs - startedMs,
    leaderMicros: usedMicros[leaderAt] ?? Number.NaN,
    followerMicros: followers.reduce((sum, used) => sum + used, 0) / followers.length,
  };
}

/** Lengths of the regions' own logs. */
async function headsOf(regions: readonly Region[]): Promise<Map<string, number>> {
  const heads = new Map<string, number>();
  for (const region of regions) {
    const status = await (await region.leader()).status();
    const own = status?.regions.find(({ state }) => state === 'self')?.partitions[0];
    if (own === undefined) throw new Error(`${region.name} does not tell the length of its log`);
    heads.set(region.name, own.applied);
  }
  return heads;
}

function speedOf(writers: readonly PacedWriter[], { fromMs, toMs }: Window): Speed {
  const inWindow = ([, , , ackMs]: DoneWrite): boolean => ackMs >= fromMs && ackMs <= toMs;
  const times = writers
    .flatMap(({ done }) => done.filter(inWindow).map(([, dueMs, , ackMs]) => ackMs - dueMs))
    .toSorted((a, b) => a - b);
  const at = (fraction: number): number => times[Math.floor((times.length - 1) * fraction)] ?? Number.NaN;
  return { perSecond: (times.length * 1_000) / (toMs - fromMs), medianMs: at(0.5), p99Ms: at(0.99) };
}
