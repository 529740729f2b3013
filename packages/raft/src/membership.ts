import { ByteReader, ByteWriter } from '@skerry/base';
import { decodeConfigState, encodeConfigState } from './codec-state.ts';
import { enterChange, isJoint, isVoter, leaveJoint, membersOf } from './config-change.ts';
import type { RaftCore } from './core.ts';
import { newProgress } from './election.ts';
import { confirmRounds } from './read-index.ts';
import { appendAsLeader, maybeCommit, replicate } from './replication.ts';
import { standDown } from './transfer.ts';
import type { ConfigChange, ConfigState, Entry, ProposeRefusal } from './types.ts';

/*
 * A configuration comes into force when its entry is handed out as committed. That is safe although the paper
 * (section 6) uses it from when it is appended, because
 * - at most one configuration entry is not in force at the leader, and none is proposed before the leader has
 *   committed in its own term (Ongaro 2015);
 * - whoever holds the entry that leaves a joint configuration also knows that the one that entered it is
 *   committed, over restarts too: the commit index is persisted with the entries;
 * - a node does not campaign while it knows of a committed configuration that is not in force with it.
 * What came into force is remembered over a restart: that it is committed is persisted at once, not with the next
 * entry, which in a quiet group may never come. Otherwise whoever starts again after the end of a joint configuration
 * would ask its outgoing voters again, of whom a majority may have been lost since.
 */

/** Why the leader cannot propose a configuration change now; null if it can. */
export function configRefusal(core: RaftCore): ProposeRefusal | null {
  if (core.log.commit < core.noopIndex) return 'noCommitInTerm';
  return isJoint(core.config) || core.log.delivered < core.configIndexLast ? 'configInProgress' : null;
}

/** Proposes what `change` leads to; null if it leads nowhere. The leader checked `configRefusal` before. */
export function proposeChange(core: RaftCore, change: ConfigChange): Entry | null {
  const config = enterChange(core.config, change);
  return config === null ? null : appendConfig(core, config);
}

/** A configuration entry was handed out as committed: from here on it decides. */
export function applyConfigEntry(core: RaftCore, entry: Entry): void {
  const config = decodeConfigState(new ByteReader(entry.data));
  // Those who leave are told that this is committed while they are still told anything.
  if (core.role === 'leader') replicate(core);
  core.config = config;
  core.configDue = true;
  if (core.commitPersisted < entry.index) core.hardStateDue = true;
  if (core.role !== 'leader') return;
  const members = new Set(membersOf(config));
  for (const id of core.peers.keys()) if (!members.has(id)) core.peers.delete(id);
  for (const id of members) if (id !== core.id && !core.peers.has(id)) core.peers.set(id, newProgress(core, id));
  if (core.transferee !== null && !config.voters.includes(core.transferee)) core.transferee = null;
  core.replicationDue = true;
  // A smaller quorum may have been reached already.
  maybeCommit(core);
  confirmRounds(core);
}

/** Ends a change as soon as it is in force, also one that an earlier leader began. */
export function leaveJointWhenDue(core: RaftCore): void {
  if (core.role !== 'leader' || !isJoint(core.config) || core.log.delivered < core.configIndexLast) return;
  appendConfig(core, leaveJoint(core.config));
}

/** A leader that is no voter any more leads until that is committed and sent on (section 6), and not longer. */
export function standDownIfRemoved(core: RaftCore): void {
  if (core.role === 'leader' && !isVoter(core.config, core.id)) standDown(core, 'no longer a voter');
}

function appendConfig(core: RaftCore, config: ConfigState): Entry {
  const writer = new ByteWriter(64);
  encodeConfigState(writer, config);
  const entry = appendAsLeader(core, 'config', writer.finish());
  core.configIndexLast = entry.index;
  return entry;
}
