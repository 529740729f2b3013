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
