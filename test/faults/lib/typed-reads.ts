import type { Client } from '@skerry/client';
import type { Cluster } from './cluster.ts';
import type { Shown } from './plain-model.ts';

/** What typed reads answer otherwise than `shown`, key by key: of each node's local view, and consistent ones of each region. */
export async function typedReadProblems(cluster: Cluster, shown: ReadonlyMap<string, Shown>): Promise<string[]> {
  const problems: string[] = [];
  for (const region of cluster.regions) {
    for (const node of region.running) {
      const client = await region.pinned(node);
      for (const [key, wanted] of shown) {
        // Consistent ones at one node of each region.
        for (const consistent of node === region.running[0] ? [true, false] : [false]) {
          const found = await typedRead(client, { key, type: wanted.type, consistent });
          const expected = readable(wanted);
          if (found !== expected) problems.push(`${key} reads ${found} at ${node.name}, not ${expected}`);
        }
      }
      await client.close();
    }
  }
  return problems.slice(0, 10);
}

async function typedRead(
  client: Client,
  { key, type, consistent }: { readonly key: string; readonly type: Shown['type']; readonly consistent: boolean },
): Promise<string> {
  const options = { consistent };
  switch (type) {
    case 'register':
      return `register ${(await client.get(key, options)).value}`;
    case 'counter':
      return `counter ${(await client.counter(key).get(options)).value}`;
    case 'set':
      return `set ${sorted((await client.setOf(key).values(options)).value ?? [])}`;
    case 'flag':
      return `flag ${(await client.flag(key).get(options)).value}`;
    case 'multi':
      return `multi ${sorted((await client.multi(key).get(options)).values)}`;
    case 'document': {
      const { text, ...fields } = (await client.document(key).get(options)).value ?? {};
      return `document ${sorted(Object.keys(fields))} ${String(text).length}`;
    }
  }
}

function readable(shown: Shown): string {
  switch (shown.type) {
    case 'register':
      return `register ${shown.value}`;
    case 'counter':
      return `counter ${shown.total}`;
    case 'set':
      return `set ${sorted(shown.elements)}`;
    case 'flag':
      return `flag ${shown.enabled}`;
    case 'multi':
      return `multi ${sorted(shown.values)}`;
    case 'document':
      return `document ${sorted(shown.fields)} ${shown.tokens.reduce((sum, token) => sum + token.length + 2, 0)}`;
  }
}

function sorted(texts: Iterable<string>): string {
  return [...texts].toSorted().join(',');
}
