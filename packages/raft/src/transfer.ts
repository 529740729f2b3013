import type { NodeId } from '@skerry/base';
import type { RaftCore } from './core.ts';
import { becomeFollower } from './election.ts';
import { replicate } from './replication.ts';

/** Leadership transfer, thesis 3.10: bring `to` up to date, take no proposals meanwhile, then let it campaign. */
export function beginTransfer(core: RaftCore, to: NodeId): boolean {
  if (core.role !== 'leader' || to === core.id || !core.config.voters.includes(to)) return false;
  if (core.transferee !== null) return core.transferee === to;
  core.transferee = to;
  core.transferElapsed = 0;
  core.replicationDue = true;
  continueTransfer(core);
  return true;
}

/** Tells the transferee to campaign once it has the whole log. */
export function continueTransfer(core: RaftCore): void {
  if (core.transferee === null) return;
  const peer = core.peers.get(core.transferee);
  if (peer === undefined) core.transferee = null;
  else if (peer.match === core.log.lastIndex) sendTimeoutNow(core, peer.id);
}

/** After an election timeout the transferee is given up and proposals are taken again. */
export function tickTransfer(core: RaftCore): void {
  if (core.transferee === null) return;
  core.transferElapsed++;
  if (core.transferElapsed >= core.settings.electionTicksMin) core.transferee = null;
}

/** Leads no more, in the same term, and lets the member with the longest log campaign at once. */
export function standDown(core: RaftCore, reason: string): void {
  if (core.role !== 'leader') return;
  core.stepDownReason = reason;
  const successor = bestSuccessor(core);
  if (successor !== null) sendTimeoutNow(core, successor);
  becomeFollower(core, core.term, null);
}

function bestSuccessor(core: RaftCore): NodeId | null {
  let best: NodeId | null = null;
  let bestMatch = -1;
  for (const id of core.config.voters) {
    const peer = core.peers.get(id);
    if (peer === undefined || core.ticks - peer.contactTick > core.settings.electionTicksMin) continue;
    if (peer.match > bestMatch) {
      best = id;
      bestMatch = peer.match;
    }
  }
  return best;
}

function sendTimeoutNow(core: RaftCore, to: NodeId): void {
  // What is still due leaves first: the next leader's log and the others' commit index gain by it.
  replicate(core);
  core.send({ kind: 'timeoutNow', from: core.id, to, term: core.term });
}
