import { unreachable } from '@skerry/base';
import type { RaftCore } from './core.ts';
import {
  becomeFollower,
  campaign,
  commitKnown,
  followLeader,
  handlePreVote,
  handlePreVoteResponse,
  handleVote,
  handleVoteResponse,
  learnCommit,
} from './election.ts';
import { handleAppend, handleHeartbeat, handleSnapshot } from './follower.ts';
import type { AppendResponseMessage, HeartbeatResponseMessage, Message } from './messages.ts';
import { confirmRounds, handleReadIndex, handleReadIndexResponse } from './read-index.ts';
import { handleAppendResponse, handleHeartbeatResponse } from './replication.ts';
import { continueTransfer } from './transfer.ts';
import type { LogIndex } from './types.ts';

/** A message from a peer. Any may be lost, repeated, late or out of order. */
export function step(core: RaftCore, message: Message): void {
  if (message.to !== core.id) return;
  if ('commitTerm' in message) learnCommit(core, message);
  if (message.term > core.term && !stepHigherTerm(core, message)) return;
  if (message.term < core.term && message.kind !== 'preVote') {
    answerOlderTerm(core, message);
    return;
  }
  stepSameTerm(core, message);
}

/** Section 5.1: a higher term makes a follower of anybody. False if the message is to be ignored. */
function stepHigherTerm(core: RaftCore, message: Message): boolean {
  switch (message.kind) {
    case 'preVote':
      return true;
    case 'preVoteResponse':
      // A grant names the term of the campaign it is for, which nobody is in yet.
      if (!message.granted) becomeFollower(core, message.term, null);
      return true;
    case 'vote':
      // Thesis 4.2.3: neither the term nor the vote of a node in contact with a leader is moved by a candidate.
      if (core.inLease && !message.transfer) return false;
      becomeFollower(core, message.term, null);
      return true;
    case 'append':
    case 'commit':
    case 'heartbeat':
    case 'snapshot':
      becomeFollower(core, message.term, message.from);
      return true;
    default:
      becomeFollower(core, message.term, null);
      return true;
  }
}

/** The sender is behind: tell it the term, so that a deposed leader or a candidate that is too late gives up. */
function answerOlderTerm(core: RaftCore, message: Message): void {
  const envelope = { from: core.id, to: message.from, term: core.term };
  switch (message.kind) {
    case 'append':
      core.send({
        kind: 'appendResponse',
        ...envelope,
        rejected: true,
        index: message.prevIndex,
        hintIndex: 0 as LogIndex,
        hintTerm: message.term,
      });
      return;
    case 'snapshot':
    case 'commit':
    case 'heartbeat':
      core.send({ kind: 'heartbeatResponse', ...envelope, round: 0 });
      return;
    case 'vote':
      core.send({ kind: 'voteResponse', ...envelope, granted: false, ...commitKnown(core) });
      return;
    case 'readIndex':
      core.send({ kind: 'readIndexResponse', ...envelope, request: message.request, index: null });
      return;
    default:
  }
}

function stepSameTerm(core: RaftCore, message: Message): void {
  switch (message.kind) {
    case 'preVote':
      return handlePreVote(core, message);
    case 'preVoteResponse':
      return handlePreVoteResponse(core, message);
    case 'vote':
      return handleVote(core, message);
    case 'voteResponse':
      return handleVoteResponse(core, message);
    case 'append':
      return handleAppend(core, message);
    case 'heartbeat':
      return handleHeartbeat(core, message);
    case 'commit':
      return followLeader(core, message.from);
    case 'snapshot':
      return handleSnapshot(core, message);
    case 'appendResponse':
    case 'heartbeatResponse':
      return stepLeader(core, message);
    case 'readIndex':
      return handleReadIndex(core, message);
    case 'readIndexResponse':
      return handleReadIndexResponse(core, message);
    case 'timeoutNow':
      return campaign(core, true);
    default:
      return unreachable(message);
  }
}

/** An answer to this node as leader of this term. */
function stepLeader(core: RaftCore, message: AppendResponseMessage | HeartbeatResponseMessage): void {
  const peer = core.peers.get(message.from);
  if (core.role !== 'leader' || peer === undefined) return;
  peer.contactTick = core.ticks;
  switch (message.kind) {
    case 'appendResponse':
      handleAppendResponse(core, peer, message);
      if (core.transferee === peer.id) continueTransfer(core);
      return;
    case 'heartbeatResponse':
      handleHeartbeatResponse(core, peer, message);
      confirmRounds(core);
  }
}
