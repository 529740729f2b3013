import type { Cluster } from './cluster.ts';
import { differences, dumpsOf } from './judge.ts';

/** Where regions do not hold the same when all of it has arrived everywhere (I9, I11). */
export async function allRegionsProblems(cluster: Cluster, prefix: string): Promise<string[]> {
  await cluster.level();
  const dumps = await Promise.all(cluster.regions.map((region) => dumpsOf(region, prefix)));
  const problems = differences(dumps.flat());
  for (const region of cluster.regions) {
    const client = await region.client();
    const sums = [`${prefix}sum/consistent`, `${prefix}sum/quorumless`].map((key) => client.counter(key).get());
    const found = (await Promise.all(sums)).map(({ value }) => String(value));
    await client.close();
    const wanted = await sumsOf(cluster, prefix);
    if (found.join() !== wanted.join())
      problems.push(`I9, sums under ${prefix} are ${found.join()} in ${region.name}, not ${wanted.join()}`);
  }
  return problems.slice(0, 10);
}

/** As the first region has them, which is judged by what its callers were told. */
async function sumsOf(cluster: Cluster, prefix: string): Promise<string[]> {
  const client = await cluster.region(0).client();
  const sums = [`${prefix}sum/consistent`, `${prefix}sum/quorumless`].map((key) => client.counter(key).get());
  const values = (await Promise.all(sums)).map(({ value }) => String(value));
  await client.close();
  return values;
}
