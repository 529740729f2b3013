import { replicaId, type ReplicaId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { wholeLogs } from './ended-logs.ts';

type Log = readonly [
  name: number,
  applied: number,
  common: number,
  endedAt: readonly (readonly [log: number, sequence: number])[] | null,
];

/** The names of those that are whole, of logs of which so much is applied here, and in common. */
function whole(...logs: readonly Log[]): ReplicaId[] {
  const positions = (of: readonly (readonly [number, number])[]): Map<ReplicaId, number> =>
    new Map(of.map(([log, sequence]) => [replicaId(log), sequence] as const));
  const origins = new Map(
    logs.map(([name, applied, , endedAt]) => [
      replicaId(name),
      { applied, endedAt: endedAt === null ? null : positions(endedAt) },
    ]),
  );
  return [...wholeLogs(origins, positions(logs.map(([name, , common]) => [name, common] as const)))];
}

describe('a log of which every region has all that there will ever be', () => {
  it.each<[string, readonly Log[], readonly number[]]>([
    ['is not one that goes on', [[1, 5, 5, null]], []],
    ['has ended, with nothing left over', [[1, 5, 5, []]], [1]],
    ['is not one of which some region lacks what is applied here', [[1, 5, 4, []]], []],
    // prettier-ignore
    ['has ended, and others have the log that took the rest', [[1, 5, 5, [[2, 7]]], [2, 9, 7, null]], [1]],
    // prettier-ignore
    ['is not one of which the rest is under way to somebody', [[1, 5, 5, [[2, 7]]], [2, 9, 6, null]], []],
    // prettier-ignore
    ['is not one of which the rest is in a log that is not known', [[1, 5, 5, [[2, 1]]]], []],
    // prettier-ignore
    ['counts with what was offered of it, which nobody applies any more', [[1, 5, 5, [[1, 6], [2, 7]]], [2, 7, 7, null]], [1]],
    // prettier-ignore
    ['is one of two of which the rests were offered to each other', [[1, 5, 5, [[2, 7]]], [2, 6, 6, [[1, 8]]]], [1, 2]],
    // prettier-ignore
    ['is none of a chain at the end of which something is missing', [[1, 5, 5, [[2, 7]]], [2, 6, 6, [[3, 8]]], [3, 8, 7, null]], []],
  ])('%s', (_, logs, names) => {
    expect(whole(...logs)).toEqual(names);
  });
});
