import { clientId } from '@skerry/base';
import type { StagedStore } from '../staged-store.ts';
import type { Retention } from './retention.ts';
import { decodeConflict } from './ledger.ts';
import type { CommandResult } from './result.ts';
import type { StateMachine } from './state-machine.ts';

/** At most this many of a kind end with one command; the leader proposes the next one soon. */
export const expireCountMax = 2_048;
/** Of receipts more: they go page by page, and quorum-less writes are the fastest. */
const expireReceiptsMax = 131_072;

/** Ends leases, sessions, receipts and conflicts whose time is over. `deleteKeys` writes the tombstones of a lease's keys. */
export function expire(
  state: StateMachine,
  store: StagedStore,
  retention: Retention,
  deleteKeys: (keys: readonly string[]) => void,
): void {
  const { header } = state;
  if (header.reseeding === null)
    for (const lease of state.leases.due(header.clusterMs, expireCountMax)) {
      deleteKeys(state.leases.keysOf(lease));
      state.leases.remove(lease);
    }
  expireSessions(state, store, retention);
  expireReceipts(state, retention);
  for (let left = expireCountMax; left > 0 && header.conflicts.next > header.conflicts.first; left--) {
    const key = state.keys.conflict(header.conflicts.first);
    const record = store.get(key);
    const isOld = record === undefined || decodeConflict(record).clusterMs < header.clusterMs - retention.ledgerAgeMs;
    if (!isOld && header.conflicts.next - header.conflicts.first <= retention.ledgerCountMax) break;
    store.deferDelete(key);
    header.conflicts.first++;
  }
  state.regions.collectTombstones(retention.tombstoneKeepMs, expireCountMax);
}

/**
 * A session that is unknown and was born this much after the horizon may still have been forgotten: activity is noted in
 * steps, and births are told in the furthest of the partitions' times.
 */
function birthMarginMs(idleMs: number): number {
  return Math.min(600_000, Math.floor(idleMs / 2));
}

function expireSessions(state: StateMachine, store: StagedStore, retention: Retention): void {
  const { header } = state;
  const horizonMs = header.clusterMs - retention.sessionIdleMs;
  const quorumlessHorizonMs = header.clusterMs - retention.sessionIdleQuorumlessMs;
  header.sessionHorizonMs = Math.max(header.sessionHorizonMs, horizonMs + birthMarginMs(retention.sessionIdleMs));
  header.sessionQuorumlessHorizonMs = Math.max(
    header.sessionQuorumlessHorizonMs,
    quorumlessHorizonMs + birthMarginMs(retention.sessionIdleQuorumlessMs),
  );
  const idle = [
    {
      from: state.keys.range('x').from,
      to: state.keys.sessionActive(Math.max(0, horizonMs), ''),
      limit: expireCountMax,
    },
    {
      from: state.keys.range('z').from,
      to: state.keys.sessionActiveQuorumless(Math.max(0, quorumlessHorizonMs), ''),
      limit: expireCountMax,
    },
  ];
  for (const range of idle) {
    for (const { key } of [...store.scan(range)]) {
      const client = clientId(key.slice(-32));
      const session = state.sessions.find(client);
      if (session === null) store.deferDelete(key);
      else state.sessions.remove(client, session);
    }
  }
}

/** What is still owed to a client is kept in its session. */
function expireReceipts(state: StateMachine, { receiptCountMax }: Retention): void {
  for (const { dot, receipt, write } of state.receipts.trim(receiptCountMax, expireReceiptsMax)) {
    state.copies.forget(dot);
    const session = write === null ? null : state.sessions.find(write.client);
    if (write === null || session === null) continue;
    const result: CommandResult = { kind: 'promoted', stamp: receipt.stamp, dot };
    state.sessions.owe(write.client, session, { sequence: write.sequence, result });
  }
}
