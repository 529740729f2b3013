import type { RegionId } from '@skerry/base';
import { stampToText, valueStamp, type Value } from '@skerry/crdt';
import { prefixEnd } from './keys.ts';
import type { Partition } from './partition.ts';
import type { RequestHandle } from './replica-api.ts';
import type { WatchAnswer, WatchEvent } from './requests.ts';
import { decodeChanges, resolveChange, type Change } from './state/feed.ts';
import { decodeKeyRecord } from './state/key-record.ts';
import type { AppliedBatch } from './state/state-machine.ts';
import type { Turn } from './turn.ts';
import { split, viewBytes, viewOf } from './view.ts';

interface Watcher {
  readonly handle: RequestHandle;
  readonly key: string;
  readonly prefix: boolean;
  /** By partition: changes of entries up to here were sent, or are in `events`. */
  readonly positions: number[];
  events: WatchEvent[];
  /** The feed has changes after `positions` that are not in `events`; new ones join them there. */
  behind: boolean;
  /** Sending the current state: where in it, as (partition, key); null: following the changes. */
  reset: { partition: number; after: string; readonly startedAt: readonly number[] } | null;
}

/** A page of the current state, or of the changes that a watcher missed. */
const pageCount = 500;
const pageBytes = 256 * 1_024;

/**
 * Watches of committed values. A cursor is the applied index per partition, so any node of the region can go on from
 * it, with every change since. A watcher whose cursor lies before the feed gets the current state, marked `reset`, and
 * then the changes.
 */
export class Watches {
  readonly #turn: Turn;
  readonly #partitions: readonly Partition[];
  readonly #byHandle: Map<RequestHandle, Watcher> = new Map();
  readonly #byKey: Map<string, Set<Watcher>> = new Map();
  readonly #prefixes: Set<Watcher> = new Set();
  readonly #due: Set<Watcher> = new Set();

  constructor(turn: Turn, partitions: readonly Partition[]) {
    this.#turn = turn;
    this.#partitions = partitions;
  }

  get count(): number {
    return this.#byHandle.size;
  }

  /** False: the cursor is not one of this store. */
  start(
    handle: RequestHandle,
    { key, prefix, cursor }: { key: string; prefix: boolean; cursor: string | null },
  ): boolean {
    const applied = this.#partitions.map((partition) => partition.state.applied);
    const positions =
      cursor === null || cursor === ''
        ? [...applied]
        : parseCursor(cursor, this.#turn.options.region, this.#partitions.length);
    if (positions === null) return false;
    const watcher: Watcher = { handle, key, prefix, positions, events: [], behind: true, reset: null };
    if (cursor === '') this.#beginReset(watcher);
    this.#byHandle.set(handle, watcher);
    if (prefix) this.#prefixes.add(watcher);
    else {
      const watchers = this.#byKey.get(key) ?? new Set();
      watchers.add(watcher);
      this.#byKey.set(key, watchers);
    }
    // Even without events: the first answer tells the cursor.
    this.#due.add(watcher);
    return true;
  }

  stop(handle: RequestHandle): void {
    const watcher = this.#byHandle.get(handle);
    if (watcher === undefined) return;
    this.#byHandle.delete(handle);
    this.#prefixes.delete(watcher);
    this.#due.delete(watcher);
    const watchers = this.#byKey.get(watcher.key);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#byKey.delete(watcher.key);
  }

  applied(partition: Partition, batch: AppliedBatch): void {
    if (this.#byHandle.size === 0) return;
    for (const change of batch.changes) {
      for (const watcher of this.#byKey.get(change.key) ?? []) this.#offer(watcher, partition, batch.index, change);
      for (const watcher of this.#prefixes) {
        if (change.key.startsWith(watcher.key)) this.#offer(watcher, partition, batch.index, change);
      }
    }
  }

  /** A snapshot replaced the state: changes in between were not seen here. */
  installed(partition: Partition): void {
    for (const watcher of this.#byHandle.values()) {
      // One with a cursor of a node that is ahead may have seen all of it.
      if ((watcher.positions[partition.id] as number) < partition.state.applied) this.#beginReset(watcher);
    }
  }

  /** The page before was taken by the watcher's connection: the next one may follow. */
  ready(handle: RequestHandle): void {
    const watcher = this.#byHandle.get(handle);
    if (watcher !== undefined && (watcher.reset !== null || watcher.behind)) this.#due.add(watcher);
  }

  /** Answers watchers that have something to hear. */
  flush(): void {
    const due = [...this.#due];
    this.#due.clear();
    for (const watcher of due) {
      if (watcher.reset === null && watcher.behind) this.#sendMissed(watcher);
      // What it missed may have left the feed meanwhile.
      else if (watcher.reset === null) this.#send(watcher, watcher.events);
      if (watcher.reset !== null) this.#sendPage(watcher);
    }
  }

  #offer(watcher: Watcher, partition: Partition, index: number, change: Change): void {
    if (watcher.reset !== null || watcher.behind || index <= (watcher.positions[partition.id] as number)) return;
    watcher.events.push(toEvent(partition, change));
    this.#due.add(watcher);
  }

  #send(watcher: Watcher, events: readonly WatchEvent[], reset?: 'more' | 'last'): void {
    watcher.events = [];
    if (reset === undefined && !watcher.behind) this.#passApplied(watcher);
    const answer: WatchAnswer = {
      kind: 'watch',
      events,
      cursor: watcher.reset === null ? formatCursor(this.#turn.options.region, watcher.positions) : '',
      ...(reset === undefined ? {} : { reset }),
      ...(watcher.behind && reset === undefined ? { more: true as const } : {}),
    };
    this.#turn.answer(watcher.handle, answer);
  }

  #passApplied({ positions }: Watcher): void {
    for (const { id, state } of this.#partitions) positions[id] = Math.max(positions[id] as number, state.applied);
  }

  #beginReset(watcher: Watcher): void {
    watcher.events = [];
    watcher.behind = false;
    watcher.reset = {
      partition: 0,
      after: '',
      startedAt: this.#partitions.map((partition) => partition.state.applied),
    };
    this.#due.add(watcher);
  }

  #sendPage(watcher: Watcher): void {
    const { reset } = watcher;
    if (reset === null) return;
    const events: WatchEvent[] = [];
    let bytes = 0;
    while (reset.partition < this.#partitions.length && events.length < pageCount && bytes < pageBytes) {
      const partition = this.#partitions[reset.partition] as Partition;
      const page = readPage(partition, watcher, {
        after: reset.after,
        limit: pageCount - events.length,
        bytesMax: pageBytes - bytes,
      });
      bytes += page.bytes;
      events.push(...page.events);
      if (page.isLast) {
        reset.partition++;
        reset.after = '';
      } else reset.after = page.after;
    }
    if (reset.partition < this.#partitions.length) {
      // The next page waits for {@link ready}, so that a large state never piles up in a connection.
      this.#send(watcher, events, 'more');
      return;
    }
    watcher.reset = null;
    reset.startedAt.forEach((index, partition) => {
      watcher.positions[partition] = index;
    });
    this.#send(watcher, events, 'last');
    this.#catchUp(watcher);
    if (watcher.events.length > 0) this.#due.add(watcher);
  }

  /** The next page of what the watcher missed, each change in order; the one after it waits for {@link ready}. */
  #sendMissed(watcher: Watcher): void {
    const events: WatchEvent[] = [];
    /** Told as they are by now, so that once is enough. */
    const typed: Set<string> = new Set();
    let bytes = 0;
    for (const partition of this.#partitions) {
      for (const { index, changes } of this.#feedAfter(partition, watcher) ?? []) {
        if (events.length >= pageCount || bytes >= pageBytes) {
          this.#send(watcher, events);
          return;
        }
        for (const change of changes) {
          if (change.typed && typed.has(change.key)) continue;
          if (change.typed) typed.add(change.key);
          const event = toEvent(partition, change);
          // Deleted since, and a register by now: a later change tells of it.
          if (change.typed && event.value !== null) continue;
          events.push(event);
          bytes += change.key.length + (event.value?.length ?? 0) + viewBytes(event.view ?? null);
        }
        watcher.positions[partition.id] = index;
      }
      if (watcher.reset !== null) return;
    }
    watcher.behind = false;
    this.#send(watcher, events);
  }

  /** After a state that was sent: the changes since it was begun; only the last of each key, so that none goes back. */
  #catchUp(watcher: Watcher): void {
    const newest: Map<string, WatchEvent> = new Map();
    for (const partition of this.#partitions) {
      for (const { changes } of this.#feedAfter(partition, watcher) ?? []) {
        for (const change of changes) {
          newest.delete(change.key);
          newest.set(change.key, toEvent(partition, change));
        }
      }
      if (watcher.reset !== null) return;
    }
    watcher.events.push(...newest.values());
    this.#passApplied(watcher);
  }

  /** What the watcher is to hear of a partition after its position; null, and the watcher starts over, if that is gone. */
  #feedAfter(
    partition: Partition,
    watcher: Watcher,
  ): Iterable<{ readonly index: number; readonly changes: readonly Change[] }> | null {
    const { id, state } = partition;
    const from = (watcher.positions[id] as number) + 1;
    if (from < state.header.feedFirst) {
      this.#beginReset(watcher);
      return null;
    }
    return this.#feed(partition, from, watcher);
  }

  *#feed(
    partition: Partition,
    from: number,
    { key, prefix }: Watcher,
  ): Iterable<{ readonly index: number; readonly changes: readonly Change[] }> {
    const { keys, applied } = partition.state;
    const range = { from: keys.feed(from), to: keys.feed(Math.max(from, applied + 1)) };
    for (const record of this.#turn.store.scan(range)) {
      const changes = decodeChanges(record.value).filter((change) =>
        prefix ? change.key.startsWith(key) : change.key === key,
      );
      if (changes.length === 0) continue;
      const index = Number.parseInt(record.key.slice(-12), 16);
      let data: Uint8Array | null = null;
      const entry = (): Uint8Array => (data ??= partition.entryData(index));
      yield { index, changes: changes.map((change) => resolveChange(change, entry)) };
    }
  }
}

interface Page {
  readonly events: WatchEvent[];
  /** Last key read, deleted ones included. */
  readonly after: string;
  readonly bytes: number;
  readonly isLast: boolean;
}

function readPage(
  partition: Partition,
  { key, prefix }: Watcher,
  { after, limit, bytesMax }: { after: string; limit: number; bytesMax: number },
): Page {
  const { keys } = partition.state;
  const events: WatchEvent[] = [];
  if (!prefix) {
    const event = eventOf(key, partition.state.read(key)?.value ?? null);
    if (event !== null) events.push(event);
    return { events, after: '', bytes: 0, isLast: true };
  }
  const end = prefixEnd(key);
  const range = {
    from: after === '' ? keys.user(key) : `${keys.user(after)}\0`,
    to: end === null ? keys.userTo : keys.user(end),
    limit,
  };
  let last = after;
  let count = 0;
  let bytes = 0;
  for (const { key: storageKey, value } of partition.turn.store.scan(range)) {
    if (count > 0 && bytes >= bytesMax) return { events, after: last, bytes, isLast: false };
    count++;
    bytes += storageKey.length + value.length;
    last = storageKey.slice(keys.userFrom.length);
    const event = eventOf(last, decodeKeyRecord(value).value);
    if (event !== null) events.push(event);
  }
  return { events, after: last, bytes, isLast: count < limit };
}

/** A value of another type than the register is told as it is by now: its changes in between are in it. */
function toEvent(partition: Partition, { key, value, stamp, typed }: Change): WatchEvent {
  if (!typed) return { key, value, version: stampToText(stamp) };
  return eventOf(key, partition.state.read(key)?.value ?? null) ?? { key, value: null, version: stampToText(stamp) };
}

/** null: there is no such key. */
function eventOf(key: string, value: Value | null): WatchEvent | null {
  const view = viewOf(value);
  return value === null || view === null ? null : { key, version: stampToText(valueStamp(value)), ...split(view) };
}

/** `REGION:INDEX.INDEX…`: indices mean something in the region that counted them alone. */
function formatCursor(region: RegionId, positions: readonly number[]): string {
  return `${region}:${positions.map((position) => position.toString(36)).join('.')}`;
}

function parseCursor(cursor: string, region: RegionId, count: number): number[] | null {
  const [name, indices, ...rest] = cursor.split(':');
  const parts = (indices ?? '').split('.');
  if (name !== region || rest.length > 0) return null;
  if (parts.length !== count || !parts.every((part) => /^[0-9a-z]{1,10}$/.test(part))) return null;
  return parts.map((part) => Number.parseInt(part, 36));
}
