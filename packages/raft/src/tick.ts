import type { RaftCore } from './core.ts';
import { becomeFollower, campaign } from './election.ts';
import { quorumReached } from './quorum.ts';
import { broadcastHeartbeat, expireForwarded } from './read-index.ts';
import { standDown, tickTransfer } from './transfer.ts';

/** One tick of the owner's clock. */
export function tick(core: RaftCore): void {
  core.ticks++;
  if (core.reads.forwarded.size > 0) expireForwarded(core);
  if (core.role === 'leader') tickLeader(core);
  else tickElection(core);
}

function tickElection(core: RaftCore): void {
  core.electionElapsed++;
  if (core.electionElapsed < core.electionTimeoutTicks || !core.promotable) return;
  core.resetElectionTimer();
  campaign(core, false);
}

function tickLeader(core: RaftCore): void {
  tickTransfer(core);
  if (core.persistHangs) {
    // Its heartbeats would hold the others back for as long as the disk hangs (hashicorp/raft #503).
    standDown(core, 'a persist hangs');
    return;
  }
  if (
    core.settings.checkQuorum &&
    core.ticks - quorumReached(core.config, core.contactOf) > core.settings.electionTicksMax
  ) {
    // Thesis 6.2: so that its clients look for the leader that a majority may have.
    core.stepDownReason = 'no contact to a majority';
    becomeFollower(core, core.term, null);
    return;
  }
  core.heartbeatElapsed++;
  if (core.heartbeatElapsed >= core.settings.heartbeatTicks) broadcastHeartbeat(core);
}

/**
 * In how many ticks, from now, the first one can come to anything if nothing else happens before. An owner that rests may
 * hand in that many at once, and must hand in those that are due before any other event. 0: it must not rest.
 */
export function restTicks(core: RaftCore): number {
  const { heartbeatTicks } = core.settings;
  // A node that hears nothing soon counts as finely as ever: when its timer runs out decides who is elected.
  const silentTicksMax = 2 * heartbeatTicks;
  if (core.reads.asked || core.reads.forwarded.size > 0 || core.log.persists.oldestTick !== null) return 0;
  if (core.role === 'leader') {
    const silentTicks = core.ticks - quorumReached(core.config, core.contactOf);
    if (core.transferee !== null || core.reads.rounds.size > 0 || silentTicks > silentTicksMax) return 0;
    return Math.min(heartbeatTicks - core.heartbeatElapsed, core.settings.electionTicksMax + 1 - silentTicks);
  }
  if (core.role !== 'follower' || core.leader === null || core.leaderSuspected) return 0;
  return Math.max(0, Math.min(silentTicksMax, core.electionTimeoutTicks) - core.electionElapsed);
}
