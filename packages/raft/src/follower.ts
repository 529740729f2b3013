import type { RaftCore } from './core.ts';
import { followLeader } from './election.ts';
import type { AppendMessage, HeartbeatMessage, SnapshotMessage } from './messages.ts';
import type { NodeId } from '@skerry/base';
import { logIndex, type LogIndex } from './types.ts';

/** AppendEntries (section 5.3) from the leader of this term. */
export function handleAppend(core: RaftCore, message: AppendMessage): void {
  followLeader(core, message.from);
  const { log } = core;
  if (message.prevIndex < log.commit) {
    // Old news; what is committed matches every leader (section 5.4), and its terms may be compacted.
    acknowledge(core, message.from, log.commit);
    return;
  }
  if (log.term(message.prevIndex) !== message.prevTerm) {
    reject(core, message);
    return;
  }
  log.appendFromLeader(message.entries);
  const lastNew = logIndex(message.prevIndex + message.entries.length);
  // Entries after `lastNew` may be another leader's, so the leader's commit index says nothing of them.
  log.commitTo(Math.min(message.commit, lastNew) as LogIndex);
  acknowledge(core, message.from, lastNew);
}

/** The hint is the last entry up to `prevIndex` that can match, as its term is not above the leader's there. */
function reject(core: RaftCore, message: AppendMessage): void {
  const { log } = core;
  const end = Math.min(message.prevIndex, log.lastIndex) as LogIndex;
  const hintIndex = log.lastIndexAtTerm(message.prevTerm, log.commit, end) ?? log.commit;
  core.sendAfterPersist({
    kind: 'appendResponse',
    from: core.id,
    to: message.from,
    term: core.term,
    rejected: true,
    index: message.prevIndex,
    hintIndex,
    hintTerm: log.termAt(hintIndex),
  });
}

export function handleHeartbeat(core: RaftCore, message: HeartbeatMessage): void {
  followLeader(core, message.from);
  core.log.commitTo(message.commit);
  core.send({ kind: 'heartbeatResponse', from: core.id, to: message.from, term: core.term, round: message.round });
}

/** InstallSnapshot (section 7); all of its data is staged with the owner. */
export function handleSnapshot(core: RaftCore, message: SnapshotMessage): void {
  followLeader(core, message.from);
  const { log } = core;
  const { meta } = message;
  // Appends may have overtaken the snapshot (etcd #18055). A log that has its last entry is kept: what follows
  // there may already be acknowledged.
  if (meta.index > log.commit && log.term(meta.index) === meta.term) log.commitTo(meta.index);
  if (meta.index > log.commit) {
    log.resetTo(meta);
    core.config = meta.config;
    core.configDue = true;
  }
  acknowledge(core, message.from, log.commit);
}

/** Says that the log matches up to `index`, which must be durable first. */
function acknowledge(core: RaftCore, to: NodeId, index: LogIndex): void {
  core.sendAfterPersist({
    kind: 'appendResponse',
    from: core.id,
    to,
    term: core.term,
    rejected: false,
    index,
    hintIndex: 0 as LogIndex,
    hintTerm: core.term,
  });
}
