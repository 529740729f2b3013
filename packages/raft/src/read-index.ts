import type { RaftCore } from './core.ts';
import type { ReadIndexMessage, ReadIndexResponseMessage } from './messages.ts';
import { quorumReached } from './quorum.ts';
import type { RemoteRead } from './read-queues.ts';
import type { LogIndex } from './types.ts';

/*
 * ReadIndex, thesis 6.4. A leader that has committed an entry of its own term knows what is committed, unless it
 * has been deposed without noticing. So it notes its commit index, asks a majority whether it still leads, and with
 * their answers the noted index is good for every read that was asked before the question left.
 */

/** Starts one round, or one request to the leader, for everything asked since the last output. */
export function flushReads(core: RaftCore): void {
  if (!core.reads.asked) return;
  if (core.role === 'leader') startRound(core);
  else forward(core);
}

/** True if `flushReads` would do something. */
export function readsDue(core: RaftCore): boolean {
  return core.reads.asked && (core.role !== 'leader' || core.log.commit >= core.noopIndex);
}

function startRound(core: RaftCore): void {
  // Section 8: before that, entries of earlier terms may be committed that this leader does not know to be.
  if (core.log.commit < core.noopIndex) return;
  const { contexts, remote } = core.reads.takeAsked();
  core.round++;
  core.reads.rounds.set(core.round, { index: core.log.commit, contexts, remote });
  broadcastHeartbeat(core);
  confirmRounds(core);
}

function forward(core: RaftCore): void {
  const { contexts, remote } = core.reads.takeAsked();
  for (const read of remote) respond(core, read, null);
  if (contexts.length === 0) return;
  if (core.leader === null) {
    failContexts(core, contexts);
    return;
  }
  const request = core.reads.requestNext();
  core.reads.forwarded.set(request, { contexts, sentTick: core.ticks });
  core.send({ kind: 'readIndex', from: core.id, to: core.leader, term: core.term, request });
}

/** Every heartbeat asks for the newest round, so a lost one delays a read by one heartbeat interval at most. */
export function broadcastHeartbeat(core: RaftCore): void {
  core.heartbeatElapsed = 0;
  for (const peer of core.peers.values()) {
    const commit = Math.min(peer.match, core.log.commit) as LogIndex;
    core.send({ kind: 'heartbeat', from: core.id, to: peer.id, term: core.term, commit, round: core.round });
  }
}

/** Answers the rounds that a majority has confirmed. A later round's confirmation is an earlier one's too. */
export function confirmRounds(core: RaftCore): void {
  if (core.reads.rounds.size === 0) return;
  const confirmed = quorumReached(core.config, core.roundOf);
  for (const [number, round] of core.reads.rounds) {
    if (number > confirmed) return;
    core.reads.rounds.delete(number);
    for (const context of round.contexts) core.readStates.push({ context, index: round.index });
    for (const read of round.remote) respond(core, read, round.index);
  }
}

export function handleReadIndex(core: RaftCore, message: ReadIndexMessage): void {
  core.reads.remote.push({ from: message.from, request: message.request });
}

export function handleReadIndexResponse(core: RaftCore, message: ReadIndexResponseMessage): void {
  const forwarded = core.reads.forwarded.get(message.request);
  if (forwarded === undefined) return;
  core.reads.forwarded.delete(message.request);
  for (const context of forwarded.contexts) core.readStates.push({ context, index: message.index });
}

/** A forwarded request or its answer may be lost; after an election timeout it is reported as failed. */
export function expireForwarded(core: RaftCore): void {
  for (const [request, forwarded] of core.reads.forwarded) {
    if (core.ticks - forwarded.sentTick < core.settings.electionTicksMin) return;
    core.reads.forwarded.delete(request);
    failContexts(core, forwarded.contexts);
  }
}

/** Leadership changed: nothing that waits can be answered any more. What was only asked is asked anew. */
export function failReads(core: RaftCore): void {
  for (const round of core.reads.rounds.values()) {
    failContexts(core, round.contexts);
    for (const read of round.remote) respond(core, read, null);
  }
  core.reads.rounds.clear();
  for (const forwarded of core.reads.forwarded.values()) failContexts(core, forwarded.contexts);
  core.reads.forwarded.clear();
}

function failContexts(core: RaftCore, contexts: readonly number[]): void {
  for (const context of contexts) core.readStates.push({ context, index: null });
}

function respond(core: RaftCore, read: RemoteRead, index: LogIndex | null): void {
  core.send({ kind: 'readIndexResponse', from: core.id, to: read.from, term: core.term, request: read.request, index });
}
