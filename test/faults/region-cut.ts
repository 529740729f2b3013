import type { Client } from '@skerry/client';
import { withCluster, type Cluster } from './lib/cluster.ts';
import { inParallel } from './lib/in-parallel.ts';
import { entryText, localViews, viewDifferences } from './lib/local-views.ts';
import type { Region } from './lib/region.ts';
import { spread, type Scenario, type ScenarioContext } from './lib/scenario.ts';
import { pause } from './lib/until.ts';

/** Done-line 3 of part 2. */
const keyCount = 10_000;
const cutMs = 60_000;
const equalMsMax = 5_000;
const shortVariant = { keyCount: 500, cutMs: 2_000 };

export const regionCut: Scenario = {
  name: 'region-cut',
  summary: `two regions are cut apart for ${cutMs / 1_000} s and differ in ${keyCount} keys: how soon all regions are equal after healing`,
  trials: 3,
  run: (context) =>
    withCluster({ ...(context.link === undefined ? {} : { link: context.link }) }, (cluster) => run(cluster, context)),
};

async function run(
  cluster: Cluster,
  { trials, short = false, say }: ScenarioContext,
): Promise<Awaited<ReturnType<Scenario['run']>>> {
  const { keyCount: count, cutMs: lengthMs } = short ? shortVariant : { keyCount, cutMs };
  const [here, there] = [cluster.region(0), cluster.region(1)];
  const level: number[] = [];
  const equal: number[] = [];
  const violations: string[] = [];
  for (let trial = 1; trial <= trials; trial++) {
    const prefix = `t${trial}/`;
    const problems: string[] = [];
    await writeAll(here, { prefix, count, value: 'before' });
    await cluster.level();

    // Neither hears of the other, not through the third either.
    const cutAtMs = performance.now();
    await cluster.isolate(here);
    await writeAll(here, { prefix, count, value: 'here' });
    // Half of the keys are written on both sides.
    await writeAll(there, { prefix, count: count / 2, value: 'there' });
    await pause(Math.max(0, lengthMs - (performance.now() - cutAtMs)));
    const differing = differingKeys(await localViews(cluster, prefix));
    if (differing !== count) problems.push(`${differing} keys differ at the end of the cut, not ${count}`);

    await cluster.heal();
    const healedMs = performance.now();
    await cluster.level();
    level.push(performance.now() - healedMs);
    const views = await localViews(cluster, prefix);
    equal.push(performance.now() - healedMs);
    problems.push(...viewDifferences(views));
    const right = [...(views[0]?.entries.values() ?? [])].filter(({ key, value }) => {
      const number = Number(key.slice(prefix.length));
      // What was written on both sides was written there last, by clocks that one machine shares.
      return value === (number < count / 2 ? 'there' : 'here');
    }).length;
    if (right !== count) problems.push(`${right} keys have the value that was written last, not ${count}`);
    violations.push(...problems.map((problem) => `trial ${trial}: ${problem}`));
    say(`trial ${trial}: ${level.at(-1)?.toFixed(0)} ms, ${problems.length} violations`);
  }
  return {
    figures: [
      { name: 'keys that differed', value: count, unit: 'count' },
      ...spread('healed to all nodes having applied all', level, { max: equalMsMax }),
      ...spread('healed to all keys of all nodes read and found equal', equal),
    ],
    violations,
  };
}

async function writeAll(
  region: Region,
  { prefix, count, value }: { readonly prefix: string; readonly count: number; readonly value: string },
): Promise<void> {
  const client: Client = await region.client(region.nodes, { discover: false });
  await inParallel({ count, open: 250 }, async (number) => {
    const { outcome } = await client.set(`${prefix}${String(number).padStart(6, '0')}`, value);
    if (outcome !== 'applied') throw new Error(`a blocking set ended ${outcome}`);
  });
  await client.close();
}

/** Keys that not all nodes show the same way. */
function differingKeys(views: Awaited<ReturnType<typeof localViews>>): number {
  const keys = new Set(views.flatMap(({ entries }) => [...entries.keys()]));
  return [...keys].filter((key) => new Set(views.map(({ entries }) => entryText(entries.get(key)))).size > 1).length;
}
