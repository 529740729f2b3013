import { assert } from '@skerry/base';
import type { RaftCore } from './core.ts';
import { entryBytes } from './entry-bytes.ts';
import type { AppendResponseMessage, HeartbeatResponseMessage } from './messages.ts';
import type { Progress } from './progress.ts';
import { quorumReached } from './quorum.ts';
import { logIndex, type Entry, type EntryKind, type LogIndex } from './types.ts';

/** The leader writes to its own log (section 5.3). Followers get the entry with the next output. */
export function appendAsLeader(core: RaftCore, kind: EntryKind, data: Uint8Array): Entry {
  const entry: Entry = { index: logIndex(core.log.lastIndex + 1), term: core.term, kind, data };
  core.log.append(entry);
  core.uncommittedBytes += entryBytes(entry);
  core.replicationDue = true;
  return entry;
}

/**
 * Commits what a majority holds durably. Only an entry of this term is ever committed by counting; earlier ones
 * are committed with it (section 5.4.2, figure 8).
 */
export function maybeCommit(core: RaftCore): void {
  const reached = quorumReached(core.config, core.matchOf);
  if (reached <= core.log.commit || core.log.term(reached as LogIndex) !== core.term) return;
  core.log.commitTo(reached as LogIndex);
  core.replicationDue = true;
}

/** Sends every follower what is due to it. */
export function replicate(core: RaftCore): void {
  core.replicationDue = false;
  for (const peer of core.peers.values()) replicateTo(core, peer);
}

function replicateTo(core: RaftCore, peer: Progress): void {
  while (peer.state !== 'snapshot' && !(peer.state === 'probe' && peer.paused)) {
    const withEntries = peer.next <= core.log.lastIndex && !peer.inflights.full;
    const commitDue = peer.state === 'replicate' && peer.commitSent < Math.min(core.log.commit, peer.next - 1);
    if (!withEntries && !commitDue && !peer.probeDue) return;
    if (!withEntries && !peer.probeDue && sendCommit(core, peer)) return;
    if (!sendAppend(core, peer, withEntries)) return;
  }
}

/** False if the log has no term any more for what is to be told. */
function sendCommit(core: RaftCore, peer: Progress): boolean {
  const commit = Math.min(core.log.commit, peer.next - 1) as LogIndex;
  const commitTerm = core.log.term(commit);
  if (commitTerm === undefined) return false;
  core.send({ kind: 'commit', from: core.id, to: peer.id, term: core.term, commit, commitTerm });
  peer.commitSent = commit;
  return true;
}

/** False if nothing more can be sent to `peer` for now. */
function sendAppend(core: RaftCore, peer: Progress, withEntries: boolean): boolean {
  const prevIndex = (peer.next - 1) as LogIndex;
  const prevTerm = prevIndex < core.log.firstIndex - 1 ? undefined : core.log.term(prevIndex);
  if (prevTerm === undefined) {
    sendSnapshot(core, peer);
    return false;
  }
  const entries = withEntries
    ? core.log.entries(peer.next, logIndex(core.log.lastIndex + 1), core.settings.appendBytesMax)
    : [];
  const last = logIndex(prevIndex + entries.length);
  core.send({
    kind: 'append',
    from: core.id,
    to: peer.id,
    term: core.term,
    prevIndex,
    prevTerm,
    entries,
    commit: core.log.commit,
  });
  peer.probeDue = false;
  peer.commitSent = Math.max(peer.commitSent, Math.min(core.log.commit, last)) as LogIndex;
  if (peer.state === 'probe') {
    peer.paused = true;
  } else if (entries.length > 0) {
    let bytes = 0;
    for (const entry of entries) bytes += entryBytes(entry);
    peer.inflights.add(last, bytes);
    peer.next = logIndex(last + 1);
  }
  return true;
}

function sendSnapshot(core: RaftCore, peer: Progress): void {
  // A member that is not there would leave a snapshot in use for as long as it stays away.
  if (core.ticks - peer.contactTick > core.settings.electionTicksMin) return;
  const meta = core.log.snapshot();
  if (meta === null) return;
  peer.becomeSnapshot(meta.index);
  core.send({ kind: 'snapshot', from: core.id, to: peer.id, term: core.term, meta });
}

export function handleAppendResponse(core: RaftCore, peer: Progress, message: AppendResponseMessage): void {
  core.replicationDue = true;
  if (message.rejected) {
    peer.rejected(message.index, probeHint(core, message));
    return;
  }
  assert(message.index <= core.log.lastIndex, 'acknowledged beyond the log', {
    from: peer.id,
    index: message.index,
    last: core.log.lastIndex,
  });
  const news = peer.accepted(message.index);
  switch (peer.state) {
    case 'probe':
      if (news || message.index === peer.match) peer.becomeReplicate();
      break;
    case 'replicate':
      peer.inflights.freeTo(message.index);
      break;
    case 'snapshot':
      // Whether by this snapshot or otherwise, it has come to where the log can take over.
      if (peer.match >= core.log.firstIndex - 1) peer.becomeReplicate();
      break;
  }
  if (news) maybeCommit(core);
}

/**
 * Where to probe after a rejection: the last entry up to the follower's hint whose term is not above the hint's.
 * Each round of this skips at least one term of either log (section 5.3, last part).
 */
function probeHint(core: RaftCore, message: AppendResponseMessage): LogIndex {
  const base = logIndex(core.log.firstIndex - 1);
  const hint = Math.min(message.hintIndex, core.log.lastIndex) as LogIndex;
  if (hint < base) return hint;
  // Nothing that matches is left in this log: probing before its start makes it a snapshot.
  return core.log.lastIndexAtTerm(message.hintTerm, base, hint) ?? logIndex(Math.max(0, base - 1));
}

export function handleHeartbeatResponse(core: RaftCore, peer: Progress, message: HeartbeatResponseMessage): void {
  if (message.round > peer.roundAcked) peer.roundAcked = message.round;
  peer.paused = false;
  // Not all is acknowledged: an append, even an empty one, finds out whether anything was lost.
  if (peer.state === 'probe' || peer.match < core.log.lastIndex) {
    peer.probeDue = true;
    core.replicationDue = true;
  }
}

/** The transport lost messages to `peer`: find out where it is before sending on. */
export function peerUnreachable(core: RaftCore, peer: Progress): void {
  if (peer.state === 'replicate') peer.becomeProbe(logIndex(peer.match + 1));
}

/** The owner finished (`ok`) or gave up sending the snapshot. */
export function snapshotReported(core: RaftCore, peer: Progress, ok: boolean): void {
  if (peer.state !== 'snapshot') return;
  peer.becomeProbe(logIndex((ok ? peer.snapshotIndex : peer.match) + 1));
  // The next heartbeat's answer gives the follower time to install it, and a failed transfer time to recover.
  peer.paused = true;
}
