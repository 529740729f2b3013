import { afterAll, describe, expect, test } from 'vitest';
import { errorCodes, type ErrorCode } from '../../../packages/protocol/src/index.ts';
import { byConnection } from './by-connection.ts';
import { byClient, byHttp } from './by-others.ts';
import { byReplica } from './by-replica.ts';
import { ErrorNode, type NodeOptions } from './node.ts';
import type { Provocation } from './provocation.ts';

const provocations: Partial<Record<ErrorCode, readonly Provocation[]>> = {
  ...byReplica,
  ...byConnection,
  ...byHttp,
  ...byClient,
};

/** Nodes of equal options are one. */
const nodes = new Map<NodeOptions | undefined, ErrorNode>();
async function nodeOf(options: NodeOptions | undefined): Promise<ErrorNode> {
  const known = nodes.get(options);
  if (known !== undefined) return known;
  const node = await ErrorNode.start(options);
  nodes.set(options, node);
  return node;
}

afterAll(async () => {
  await Promise.all([...nodes.values()].map((node) => node.stop()));
});

describe('the table of errors', () => {
  test('has no code that nothing here provokes', () => {
    const missing = errorCodes.filter((code) => (provocations[code]?.length ?? 0) === 0);
    expect(missing).toEqual([]);
    expect(Object.keys(provocations).filter((code) => !errorCodes.includes(code as ErrorCode))).toEqual([]);
  });
});

for (const [code, list] of Object.entries(provocations) as [ErrorCode, readonly Provocation[]][]) {
  describe(code, () => {
    test.each(list)('by $what: answered, counted, and the node goes on', async ({ on, provoke, counted, after }) => {
      const node = await nodeOf(on);
      const before = counted === null ? 0 : await node.count(counted, code);
      expect(await provoke(node)).toBe(code);
      if (counted !== null) expect(await node.count(counted, code)).toBeGreaterThan(before);
      if (after !== 'nothing') await node.mustGoOn({ writes: after !== 'reads only' });
    });
  });
}
