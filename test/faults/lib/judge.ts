import {
  checkAppliedOnce,
  checkConsistentWrites,
  checkQuorumlessWrites,
  factsOf,
  judgeHistory,
  type History,
  type Dump,
  type Violation,
  type DumpEntry,
  type WriteFact,
} from '@skerry/checkers';
import type { Round } from './load.ts';
import type { Region } from './region.ts';

/** What every running node holds under `prefix` in its own state. Call it when the region has settled. */
export async function dumpsOf(region: Region, prefix: string): Promise<Dump[]> {
  return Promise.all(
    region.running.map(async (node) => {
      const client = await region.pinned(node);
      const entries = new Map<string, DumpEntry>();
      for await (const { key, value, version } of client.entries(prefix, { consistent: false })) {
        entries.set(key, { value, version });
      }
      await client.close();
      return { node: node.name, entries };
    }),
  );
}

/** Judges one round of load against the final state of all nodes; returns what did not hold. */
export function judgeRound(round: Round, dumps: readonly Dump[]): string[] {
  return [
    ...round.failures,
    ...ownKeyProblems(round, dumps),
    ...linearizabilityProblems(round.history),
    ...checkAppliedOnce(round.versions).map(text),
    ...acknowledgedProblems(round, dumps),
    ...differences(dumps),
  ].slice(0, 20);
}

function ownKeyProblems(round: Round, dumps: readonly Dump[]): string[] {
  const problems: string[] = [];
  for (const [key, value] of round.own) {
    for (const { node, entries } of dumps) {
      const found = entries.get(key)?.value ?? null;
      if (found !== value) problems.push(`${key} was last acknowledged as ${value}, but ${node} holds ${found}`);
    }
  }
  return problems;
}

export function linearizabilityProblems(history: History): string[] {
  const judged = judgeHistory(history);
  switch (judged.verdict) {
    case 'linearizable':
      return [];
    case 'violated':
      return [
        `not linearizable, key ${judged.key}: ${judged.counterexample.explanation}\n${judged.counterexample.text}`,
      ];
    case 'unknown':
      return [`the history of ${judged.key} could not be judged: ${judged.reason}`];
  }
}

/** Key by key: the checker compares each write with the others of its key. */
function acknowledgedProblems({ history }: Round, dumps: readonly Dump[]): string[] {
  const byKey = new Map<string, WriteFact[]>();
  for (const write of factsOf(history).writes) {
    const known = byKey.get(write.key);
    if (known === undefined) byKey.set(write.key, [write]);
    else known.push(write);
  }
  return [...byKey].flatMap(([key, writes]) => {
    const ofKey = dumps.map(({ node, entries }) => {
      const entry = entries.get(key);
      return { node, entries: new Map(entry === undefined ? [] : [[key, entry]]) };
    });
    return [...checkConsistentWrites(writes, ofKey), ...checkQuorumlessWrites(writes, ofKey)].map(text);
  });
}

/** Where the nodes do not hold the same (I9): values and versions. */
export function differences(dumps: readonly Dump[]): string[] {
  const problems: string[] = [];
  for (const key of new Set(dumps.flatMap(({ entries }) => [...entries.keys()]))) {
    const held = dumps.map(({ entries }) => `${entries.get(key)?.value ?? null} @${entries.get(key)?.version ?? ''}`);
    if (new Set(held).size > 1)
      problems.push(`I9, key ${key}: ${dumps.map(({ node }, i) => `${node} ${held[i]}`).join(', ')}`);
  }
  return problems;
}

function text({ invariant, message, key }: Violation): string {
  return `${invariant}${key === undefined ? '' : `, key ${key}`}: ${message}`;
}
