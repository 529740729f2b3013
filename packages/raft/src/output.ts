import type { RaftCore } from './core.ts';
import { campaign } from './election.ts';
import { entryBytes } from './entry-bytes.ts';
import { applyConfigEntry, leaveJointWhenDue, standDownIfRemoved } from './membership.ts';
import type { Message } from './messages.ts';
import { flushReads, readsDue } from './read-index.ts';
import { replicate } from './replication.ts';
import type { ConfigState, Entry, HardState, ReadState, SnapshotMeta, SoftState } from './types.ts';

/** What to make durable, as one unit, in the order handed out. */
export interface Persist {
  /** Counts up by one. */
  readonly id: number;
  /** null: unchanged. */
  readonly hardState: HardState | null;
  /** If the first one's index is within the stored log, everything stored from there on is replaced. */
  readonly entries: readonly Entry[];
  /** Installed: the stored log becomes empty at this snapshot, before `entries`, and the staged data the state. */
  readonly snapshot: SnapshotMeta | null;
}

/** What the owner has to do; the order is in the contract at `Raft`. */
export interface Output {
  readonly persist: Persist | null;
  /** To be sent at once. */
  readonly messages: readonly Message[];
  /** To be sent when every persist handed out so far is durable, this output's included. */
  readonly messagesAfterPersist: readonly Message[];
  /** To be applied in order; perhaps not durable on this node yet, but on a majority. Never anything twice. */
  readonly committed: readonly Entry[];
  readonly readStates: readonly ReadState[];
  /** null: unchanged. */
  readonly soft: SoftState | null;
  /** The configuration in force after the last of `committed`, or of the installed snapshot. null: unchanged. */
  readonly config: ConfigState | null;
}

/** Collects what is due, or null. Everything of one turn is batched here: appends, rounds, persists. */
export function takeOutput(core: RaftCore): Output | null {
  if (!outputDue(core)) return null;
  const committed = deliver(core);
  flushReads(core);
  if (core.role === 'leader' && core.replicationDue) replicate(core);
  standDownIfRemoved(core);
  const persist = takePersist(core);
  const { messages, messagesAfterPersist, readStates } = core;
  core.messages = [];
  core.messagesAfterPersist = [];
  core.readStates = [];
  const config = core.configDue ? core.config : null;
  core.configDue = false;
  const soft = takeSoft(core);
  if (core.log.persists.empty) {
    // Everything they vouch for is durable already.
    return {
      persist,
      messages: [...messages, ...messagesAfterPersist],
      messagesAfterPersist: [],
      committed,
      readStates,
      soft,
      config,
    };
  }
  return { persist, messages, messagesAfterPersist, committed, readStates, soft, config };
}

function outputDue(core: RaftCore): boolean {
  return (
    core.messages.length > 0 ||
    core.messagesAfterPersist.length > 0 ||
    core.readStates.length > 0 ||
    core.hardStateDue ||
    core.configDue ||
    core.replicationDue ||
    core.log.persistDue ||
    core.log.deliverable(core.settings.applyBytesMax) ||
    readsDue(core) ||
    softChanged(core)
  );
}

function deliver(core: RaftCore): readonly Entry[] {
  const committed = core.log.deliver(core.settings.applyBytesMax);
  if (core.role === 'leader') {
    for (const entry of committed) if (entry.term === core.term) core.uncommittedBytes -= entryBytes(entry);
  }
  const last = committed.at(-1);
  if (last?.kind === 'config') applyConfigEntry(core, last);
  leaveJointWhenDue(core);
  if (core.campaignDue) campaign(core, true);
  return committed;
}

function takePersist(core: RaftCore): Persist | null {
  const { log } = core;
  if (!core.hardStateDue && !log.persistDue) return null;
  const withLog = log.persistDue;
  const { entries, snapshot } = log.handOut();
  // The commit index goes with entries: `membership` says why one must not be durable without the other.
  const withHardState = core.hardStateDue || log.commit !== core.commitPersisted;
  const id = log.persists.idNext;
  log.persists.push({
    id,
    term: core.term,
    vote: core.vote,
    durableTo: withLog ? log.lastIndex : (0 as typeof log.lastIndex),
    snapshot: snapshot !== null,
    handedAtTick: core.ticks,
  });
  core.hardStateDue = false;
  core.commitPersisted = log.commit;
  return {
    id,
    hardState: withHardState ? { term: core.term, vote: core.vote, commit: log.commit } : null,
    entries,
    snapshot,
  };
}

function softChanged(core: RaftCore): boolean {
  const { softReported } = core;
  return core.role !== softReported.role || core.leader !== softReported.leader || core.term !== softReported.term;
}

function takeSoft(core: RaftCore): SoftState | null {
  if (!softChanged(core)) return null;
  core.softReported = { role: core.role, leader: core.leader, term: core.term };
  return core.softReported;
}
