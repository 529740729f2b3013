import type { Entry } from '@skerry/client';
import type { Cluster } from './cluster.ts';
import type { Region } from './region.ts';
import type { RegionNode } from './region-node.ts';

/** What one node shows under a prefix by its own state alone, values of all types included. */
export interface LocalView {
  readonly node: string;
  readonly entries: ReadonlyMap<string, Entry>;
}

/** Of all nodes that run, one after the other. */
export async function localViews(cluster: Cluster, prefix: string): Promise<LocalView[]> {
  const views: LocalView[] = [];
  for (const region of cluster.regions) {
    for (const node of region.running) views.push(await localView(region, node, prefix));
  }
  return views;
}

export async function localView(region: Region, node: RegionNode, prefix: string): Promise<LocalView> {
  const client = await region.pinned(node);
  const entries = new Map<string, Entry>();
  for await (const entry of client.entries(prefix, { consistent: false, limit: 1_000 })) entries.set(entry.key, entry);
  await client.close();
  return { node: node.name, entries };
}

/** Keys at which some node shows something else than the first one does; at most `limit`. */
export function viewDifferences([first, ...others]: readonly LocalView[], limit = 10): string[] {
  const problems: string[] = [];
  for (const { node, entries } of others) {
    for (const key of new Set([...(first?.entries.keys() ?? []), ...entries.keys()])) {
      const [here, there] = [first?.entries.get(key), entries.get(key)].map(entryText);
      if (here === there) continue;
      problems.push(`${key} is ${here} at ${first?.node}, ${there} at ${node}`);
      if (problems.length === limit) return problems;
    }
  }
  return problems;
}

/** All that a node tells of a key, version included; equal for equal states. */
export function entryText(entry: Entry | undefined): string {
  if (entry === undefined) return 'missing';
  return JSON.stringify({ version: entry.version, value: entry.value, view: entry.view }, (name, value: unknown) => {
    // How far a context was compacted is no part of the value.
    if (name === 'context') return undefined;
    if (typeof value === 'bigint') return String(value);
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
  });
}
