import { nodeId, type NodeId } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quorumReached, voteResult } from './quorum.ts';
import type { ConfigState } from './types.ts';

const ids = Array.from({ length: 9 }, (_, i) => nodeId(`n${i}`));
const someIds = fc.subarray(ids, { minLength: 1 });
const config: fc.Arbitrary<ConfigState> = fc
  .record({ voters: someIds, votersOutgoing: fc.subarray(ids) })
  .map((lists) => ({ ...lists, learners: [], learnersNext: [] }));

/** By the definition: more than half of the set. */
function isMajority(voters: readonly NodeId[], of: (id: NodeId) => boolean): boolean {
  return voters.length === 0 || voters.filter(of).length > voters.length / 2;
}

describe('quorum', () => {
  it('reaches the largest value that majorities of both sets have reached (§5.3, §6)', () => {
    fc.assert(
      fc.property(config, fc.array(fc.nat(12), { minLength: 9, maxLength: 9 }), (voters, values) => {
        const reachedBy = (id: NodeId): number => values[ids.indexOf(id)] as number;
        let naive = 0;
        for (let value = 0; value <= 12; value++) {
          const reached = (id: NodeId): boolean => reachedBy(id) >= value;
          if (isMajority(voters.voters, reached) && isMajority(voters.votersOutgoing, reached)) naive = value;
        }
        expect(quorumReached(voters, reachedBy)).toBe(naive);
      }),
      { numRuns: 2000 },
    );
  });

  it('wins with majorities of both sets, and is lost when that cannot happen any more (§5.2, §6)', () => {
    fc.assert(
      fc.property(config, fc.array(fc.option(fc.boolean()), { minLength: 9, maxLength: 9 }), (voters, answers) => {
        const votes = new Map<NodeId, boolean>();
        ids.forEach((id, i) => {
          const answer = answers[i];
          if (answer !== null && answer !== undefined) votes.set(id, answer);
        });
        const won =
          isMajority(voters.voters, (id) => votes.get(id) === true) &&
          isMajority(voters.votersOutgoing, (id) => votes.get(id) === true);
        const open =
          isMajority(voters.voters, (id) => votes.get(id) !== false) &&
          isMajority(voters.votersOutgoing, (id) => votes.get(id) !== false);
        expect(voteResult(voters, votes)).toBe(won ? 'won' : open ? 'pending' : 'lost');
      }),
      { numRuns: 2000 },
    );
  });
});
