import type { NodeId } from '@skerry/base';
import type { ConfigState } from './types.ts';

/** What a voter has reached: an index, a round, a tick. */
export type ReachedBy = (voter: NodeId) => number;
export type VoteResult = 'won' | 'lost' | 'pending';

/**
 * The largest value that a quorum of `config` has reached (sections 5.3 and 5.4). In a joint configuration that
 * is the smaller one of both majorities (section 6). Infinity if `config` has no voter at all.
 */
export function quorumReached(config: ConfigState, reachedBy: ReachedBy): number {
  const incoming = majorityReached(config.voters, reachedBy);
  if (config.votersOutgoing.length === 0) return incoming;
  return Math.min(incoming, majorityReached(config.votersOutgoing, reachedBy));
}

/** Counting the votes of `config`; a voter that is not in `votes` has not answered. */
export function voteResult(config: ConfigState, votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  const incoming = majorityVote(config.voters, votes);
  const outgoing = majorityVote(config.votersOutgoing, votes);
  if (incoming === 'lost' || outgoing === 'lost') return 'lost';
  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending';
}

function majorityReached(voters: readonly NodeId[], reachedBy: ReachedBy): number {
  if (voters.length === 0) return Infinity;
  // Quadratic in a handful of voters instead of sorting a copy: it runs for every acknowledgement and tick, and
  // must not allocate.
  const majority = (voters.length >> 1) + 1;
  let largest = -Infinity;
  for (const candidate of voters) {
    const value = reachedBy(candidate);
    if (value <= largest) continue;
    let count = 0;
    for (const voter of voters) if (reachedBy(voter) >= value) count++;
    if (count >= majority) largest = value;
  }
  return largest;
}

function majorityVote(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) granted++;
    else if (vote === false) refused++;
  }
  const majority = (voters.length >> 1) + 1;
  if (voters.length === 0 || granted >= majority) return 'won';
  return voters.length - refused < majority ? 'lost' : 'pending';
}
