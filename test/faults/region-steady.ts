import { withCluster, type Cluster, type ClusterOptions } from './lib/cluster.ts';
import { hasNatsServer } from './lib/nats-broker.ts';
import { changeOf, PacedWriter, ViewWatcher } from './lib/paced-writers.ts';
import type { Region } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import { percentiles, type Report, type Scenario, type ScenarioContext } from './lib/scenario.ts';
import { pause } from './lib/until.ts';

/** Done-line 4 of part 2. */
const writesPerSecond = 2_000;
const lengthMs = 20_000;
/**
 * What is promised is steady load. A process runs cold code at first, which takes many times as long, until the compilers have
 * been through it: with nine nodes and four measuring processes on few processors that takes some 15 s.
 */
const warmUpMs = 20_000;
const p99MsMax = 50;
const shortVariant = { writesPerSecond: 150, lengthMs: 2_000, warmUpMs: 2_000 };
/** Keys that each region's writer writes in turn. */
const keyCount = 5_000;

/**
 * One process writes per region, one watches a follower of every region. The delay of a write counts from its
 * acknowledgement in its own region to its being visible in the local view of the watched node of another one.
 */
export const regionSteady: Scenario = {
  name: 'region-steady',
  summary: `${writesPerSecond} writes/s spread over three regions, after ${warmUpMs / 1_000} s of them: from the acknowledgement in one to the local views of the others`,
  trials: 3,
  run: async (context) => {
    if (context.link === 'nats' && !hasNatsServer)
      return { figures: [], violations: [], skipped: 'there is no nats-server' };
    const options: ClusterOptions = context.link === undefined ? {} : { link: context.link };
    return withCluster(options, (cluster) => run(cluster, context));
  },
};

interface Delays {
  /** From acknowledgement to visibility in each other region. */
  readonly remote: number[];
  /** From call to acknowledgement. */
  readonly calls: number[];
  readonly loops: number[];
}

async function run(cluster: Cluster, { trials, short = false, say }: ScenarioContext): Promise<Report> {
  const plan = short ? shortVariant : { writesPerSecond, lengthMs, warmUpMs };
  const delays: Delays = { remote: [], calls: [], loops: [] };
  const worst: number[] = [];
  const rates: number[] = [];
  const violations: string[] = [];
  for (let trial = 1; trial <= trials; trial++) {
    const from = delays.remote.length;
    const { problems, perSecond } = await measure(cluster, { ...plan, prefix: `t${trial}/` }, delays);
    const mine = delays.remote.slice(from).toSorted((a, b) => a - b);
    worst.push(mine[Math.floor(mine.length * 0.99)] ?? Number.NaN);
    rates.push(perSecond);
    violations.push(...problems.map((problem) => `trial ${trial}: ${problem}`));
    say(`trial ${trial}: ${mine.length} delays, p99 ${worst.at(-1)?.toFixed(1)} ms, ${problems.length} violations`);
  }
  return {
    figures: [
      { name: 'writes acknowledged, all regions', value: Math.min(...rates), unit: 'per second' },
      ...percentiles('acknowledged in one region to visible in another', delays.remote, { p99: p99MsMax }),
      { name: 'the same, worst p99 of a trial', value: Math.max(...worst), unit: 'ms' },
      ...percentiles('call to acknowledgement', delays.calls),
      { name: 'event loops of the measuring processes, worst p99', value: Math.max(...delays.loops), unit: 'ms' },
    ],
    violations,
  };
}

async function measure(
  cluster: Cluster,
  plan: typeof shortVariant & { readonly prefix: string },
  delays: Delays,
): Promise<{ readonly problems: string[]; readonly perSecond: number }> {
  const { prefix } = plan;
  const followers = await Promise.all(cluster.regions.map(followerOf));
  const watcher = await ViewWatcher.start(followers, prefix);
  const writers = await Promise.all(
    cluster.regions.map(({ name, nodes }) =>
      PacedWriter.start(nodes, {
        prefix: `${prefix}${name}/`,
        keyCount,
        perSecond: plan.writesPerSecond / cluster.regions.length,
        openMax: 1_000,
      }),
    ),
  );
  await pause(plan.warmUpMs + plan.lengthMs);
  await Promise.all(writers.map((writer) => writer.stop()));
  const total = writers.reduce((sum, { done }) => sum + done.length, 0);
  const problems = writers.flatMap(({ failures }) => failures).slice(0, 10);
  await watcher.sawAll(total);
  await watcher.stop();
  problems.push(...watcher.failures);
  let counted = 0;
  for (const [region, writer] of writers.entries()) {
    const startMs = (writer.done[0]?.[1] ?? 0) + plan.warmUpMs;
    for (const [number, dueMs, , ackMs, version] of writer.done) {
      if (dueMs < startMs) continue;
      counted++;
      delays.calls.push(ackMs - dueMs);
      const change = changeOf(writer.keyOf(number, { keyCount }), version);
      for (const [node, seen] of watcher.seen.entries()) {
        const atMs = seen.get(change);
        if (atMs === undefined) problems.push(`${change} was not seen at ${followers[node]?.name}`);
        else if (node !== region) delays.remote.push(atMs - ackMs);
      }
    }
  }
  delays.loops.push(watcher.loop.p99, ...writers.map(({ loop }) => loop.p99));
  return { problems: problems.slice(0, 20), perSecond: (counted * 1_000) / plan.lengthMs };
}

/** Followers learn last what is committed. */
async function followerOf(region: Region): Promise<RegionNode> {
  return region.others(await region.leader())[0] as RegionNode;
}
