import { compareText } from '@skerry/base';
import type { RaftCore } from './core.ts';
import type { PeerStatus, Status } from './types.ts';

export function statusOf(core: RaftCore): Status {
  const peers: PeerStatus[] = [...core.peers.values()]
    .sort((a, b) => compareText(a.id, b.id))
    .map((peer) => ({
      id: peer.id,
      match: peer.match,
      next: peer.next,
      state: peer.state,
      recentActive: core.ticks - peer.contactTick <= core.settings.electionTicksMin,
      inflightAppends: peer.inflights.count,
      inflightBytes: peer.inflights.bytes,
    }));
  return {
    id: core.id,
    role: core.role,
    term: core.term,
    vote: core.vote,
    leader: core.leader,
    commit: core.log.commit,
    applied: core.log.applied,
    firstIndex: core.log.firstIndex,
    lastIndex: core.log.lastIndex,
    durableIndex: core.log.durable,
    config: core.config,
    peers,
    quorumActive: core.quorumActive,
    transferee: core.transferee,
    storageHealthy: core.storageHealthy && !core.persistHangs,
    stepDownReason: core.stepDownReason,
  };
}
