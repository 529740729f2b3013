import { assert, emptyBytes, randomInt, type NodeId } from '@skerry/base';
import { isVoter, membersOf } from './config-change.ts';
import type { RaftCore } from './core.ts';
import type {
  CommitKnown,
  PreVoteMessage,
  PreVoteResponseMessage,
  VoteMessage,
  VoteResponseMessage,
} from './messages.ts';
import { Progress } from './progress.ts';
import { voteResult } from './quorum.ts';
import { failReads } from './read-index.ts';
import { appendAsLeader } from './replication.ts';
import { logIndex, type LogIndex, type Term } from './types.ts';

/** Retries of a pre-vote that do not wait for a whole election timeout: after a refusal, or when the leader's connection broke. */
const quickPreVotesMax = 4;
/** Pre-votes asked for within this many ticks of each other are at the same time. */
const sameTimeTicks = 2;
/** A broken connection starts a pre-vote within this many ticks, at random, so that not all ask at once. */
const leaderLostTicksMax = 2;

export function becomeFollower(core: RaftCore, term: Term, leader: NodeId | null): void {
  assert(term >= core.term, 'term goes back', { term, current: core.term });
  const timerStays = core.role === 'follower' && leader === null;
  if (term !== core.term) {
    core.term = term;
    core.vote = null;
    core.hardStateDue = true;
    core.campaignDue = false;
  }
  if (core.leader !== leader || core.role === 'leader') failReads(core);
  core.role = 'follower';
  core.leader = leader;
  core.peers.clear();
  core.replicationDue = false;
  core.votes.clear();
  core.transferee = null;
  // A higher term alone is no reason to wait longer: a candidate that cannot win must not keep others from trying.
  if (!timerStays) core.resetElectionTimer();
  if (leader !== null) {
    core.leaderSuspected = false;
    core.campaigns = 0;
  }
}

/** A message of the leader of this term arrived. */
export function followLeader(core: RaftCore, leader: NodeId): void {
  if (core.role === 'follower' && core.leader === leader) {
    core.electionElapsed = 0;
    core.leaderSuspected = false;
    return;
  }
  assert(core.role !== 'leader', 'two leaders in one term (I1)', { term: core.term, id: core.id, other: leader });
  assert(core.leader === null || core.leader === leader, 'two leaders in one term (I1)', {
    term: core.term,
    one: core.leader,
    other: leader,
  });
  becomeFollower(core, core.term, leader);
}

/** The election timer ran out, or the leader asked for it (`transfer`). */
export function campaign(core: RaftCore, transfer: boolean): void {
  if (core.role === 'leader') return;
  // Who votes, and whether this node does, may have changed: first the entry comes into force.
  if (core.log.configUndelivered()) {
    core.campaignDue = transfer;
    return;
  }
  core.campaignDue = false;
  if (!core.promotable) return;
  core.campaigns++;
  if (core.settings.preVote && !transfer) becomePreCandidate(core);
  else becomeCandidate(core, transfer);
}

function becomePreCandidate(core: RaftCore): void {
  leaveLeader(core);
  core.role = 'preCandidate';
  core.resetElectionTimer();
  if (core.leaderSuspected) askAgainSoon(core);
  core.votes.set(core.id, true);
  for (const to of otherVoters(core)) {
    core.send({
      kind: 'preVote',
      from: core.id,
      to,
      term: (core.term + 1) as Term,
      lastIndex: core.log.lastIndex,
      lastTerm: core.log.lastTerm,
      ...commitKnown(core),
    });
  }
  countVotes(core);
}

/** The others may not have noticed yet that the leader is gone. Asking again soon costs them nothing. */
function askAgainSoon(core: RaftCore): void {
  if (core.campaigns > quickPreVotesMax) return;
  const wait = randomInt(core.settings.random, 2, 2 + 2 * core.campaigns);
  core.electionTimeoutTicks = Math.min(core.electionTimeoutTicks, core.electionElapsed + wait);
}

function becomeCandidate(core: RaftCore, transfer: boolean): void {
  leaveLeader(core);
  core.role = 'candidate';
  core.term = (core.term + 1) as Term;
  core.vote = core.id;
  core.hardStateDue = true;
  core.resetElectionTimer();
  // The own vote counts once it is durable, see `ownVoteDurable`. The requests wait for that as well, and for the
  // log they describe: a candidate that crashed could otherwise ask again in this term with a shorter log, and
  // count the votes that its first life's log had won.
  for (const to of otherVoters(core)) {
    core.sendAfterPersist({
      kind: 'vote',
      from: core.id,
      to,
      term: core.term,
      lastIndex: core.log.lastIndex,
      lastTerm: core.log.lastTerm,
      transfer,
      ...commitKnown(core),
    });
  }
}

function becomeLeader(core: RaftCore): void {
  assert(core.role === 'candidate', 'only a candidate becomes leader', { role: core.role });
  core.role = 'leader';
  core.leader = core.id;
  core.leaderSuspected = false;
  core.campaigns = 0;
  core.heartbeatElapsed = 0;
  core.uncommittedBytes = 0;
  core.votes.clear();
  for (const id of membersOf(core.config)) {
    if (id !== core.id) core.peers.set(id, newProgress(core, id));
  }
  core.noopIndex = appendAsLeader(core, 'noop', emptyBytes).index;
  // An earlier leader's change may be among the entries that are not applied yet.
  core.configIndexLast = core.noopIndex;
}

/** Progress of a member that nothing is known about yet (section 5.3: next starts after the leader's last). */
export function newProgress(core: RaftCore, id: NodeId): Progress {
  const { inflightAppendsMax, inflightBytesMax } = core.settings;
  return new Progress(id, {
    next: logIndex(core.log.lastIndex + 1),
    tick: core.ticks,
    inflightAppendsMax,
    inflightBytesMax,
  });
}

/** The term and vote of a persist became durable. */
export function ownVoteDurable(core: RaftCore, term: Term, vote: NodeId | null): void {
  if (core.role !== 'candidate' || term !== core.term || vote !== core.id || core.votes.has(core.id)) return;
  core.votes.set(core.id, true);
  countVotes(core);
}

/** "Would you vote for me?" Neither term nor vote changes by answering. */
export function handlePreVote(core: RaftCore, message: PreVoteMessage): void {
  const granted =
    message.term > core.term &&
    !core.inLease &&
    core.storageHealthy &&
    core.log.isUpToDate(message.lastIndex, message.lastTerm) &&
    !outranks(core, message);
  const term = granted ? message.term : core.term;
  core.send({ kind: 'preVoteResponse', from: core.id, to: message.from, term, granted, ...commitKnown(core) });
}

/**
 * Two that ask at the same time would both be told yes, and then split the vote. So on its first attempt one that
 * asks itself says no to a candidate that ranks lower by log and name; later it says yes, as the higher one may have
 * no majority in reach.
 */
function outranks(core: RaftCore, message: PreVoteMessage): boolean {
  if (core.role !== 'preCandidate' || core.campaigns > 1 || core.electionElapsed > sameTimeTicks) return false;
  const sameLog = message.lastTerm === core.log.lastTerm && message.lastIndex === core.log.lastIndex;
  return sameLog && core.id > message.from;
}

export function handlePreVoteResponse(core: RaftCore, message: PreVoteResponseMessage): void {
  if (core.role !== 'preCandidate') return;
  if (message.granted && message.term !== core.term + 1) return;
  recordVote(core, message.from, message.granted);
  // Nodes count their ticks as they get to run, so the lease of one may still hold when the timer of another is over.
  if (!message.granted && core.role === 'preCandidate') askAgainSoon(core);
}

/** RequestVote of this node's term (sections 5.2 and 5.4.1). */
export function handleVote(core: RaftCore, message: VoteMessage): void {
  const free = core.vote === message.from || (core.vote === null && core.leader === null);
  const granted = free && core.log.isUpToDate(message.lastIndex, message.lastTerm);
  if (granted) {
    // A campaign of its own would only take the votes that the candidate needs.
    if (core.role === 'preCandidate') becomeFollower(core, core.term, null);
    if (core.vote === null) {
      core.vote = message.from;
      core.hardStateDue = true;
    }
    core.resetElectionTimer();
    core.campaigns = 0;
  }
  core.sendAfterPersist({
    kind: 'voteResponse',
    from: core.id,
    to: message.from,
    term: core.term,
    granted,
    ...commitKnown(core),
  });
}

export function handleVoteResponse(core: RaftCore, message: VoteResponseMessage): void {
  if (core.role === 'candidate') recordVote(core, message.from, message.granted);
}

/** The connection to the leader broke. It may have crashed, or it may be only this connection: ask soon. */
export function suspectLeader(core: RaftCore): void {
  if (core.role !== 'follower' || core.leader === null) return;
  core.leaderSuspected = true;
  const wait = 1 + randomInt(core.settings.random, 0, leaderLostTicksMax);
  core.electionElapsed = Math.max(core.electionElapsed, core.electionTimeoutTicks - wait);
}

/** What this node says of its commit index wherever it speaks of elections. */
export function commitKnown(core: RaftCore): { commit: LogIndex; commitTerm: Term } {
  return { commit: core.log.commit, commitTerm: core.log.termAt(core.log.commit) };
}

/** That an entry is committed stays true in every term, so this is learned from whoever says it. */
export function learnCommit(core: RaftCore, message: CommitKnown): void {
  if (message.commit <= core.log.commit || core.log.term(message.commit) !== message.commitTerm) return;
  core.log.commitTo(message.commit);
  if (core.role === 'leader') core.replicationDue = true;
}

function recordVote(core: RaftCore, from: NodeId, granted: boolean): void {
  if (!core.votes.has(from)) core.votes.set(from, granted);
  countVotes(core);
}

function countVotes(core: RaftCore): void {
  switch (voteResult(core.config, core.votes)) {
    case 'won':
      if (core.role === 'candidate') becomeLeader(core);
      else becomeCandidate(core, false);
      return;
    case 'lost':
      if (core.leaderSuspected && core.role === 'preCandidate') return;
      becomeFollower(core, core.term, null);
      return;
    case 'pending':
  }
}

function leaveLeader(core: RaftCore): void {
  failReads(core);
  core.leader = null;
  core.votes.clear();
}

function otherVoters(core: RaftCore): NodeId[] {
  return membersOf(core.config).filter((id) => id !== core.id && isVoter(core.config, id));
}
