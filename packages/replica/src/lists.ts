import type { Asking } from './asking.ts';
import { compareText } from '@skerry/base';
import { stampToText, valueStamp, type Value } from '@skerry/crdt';
import { prefixEnd } from './keys.ts';
import type { Partition } from './partition.ts';
import type { Answer, ListEntry, ReadOperation } from './requests.ts';
import type { WaitingRead } from './reads.ts';
import { decodeKeyRecord } from './state/key-record.ts';
import { split, viewBytes, viewOf } from './view.ts';

/** Values in one page: a page is one message. */
const pageBytes = 1_024 * 1_024;

type ListOperation = Extract<ReadOperation, { kind: 'list' }>;

/** Listings merge the partitions of this node, in key order, page by page. */
export class Lists {
  readonly #partitions: readonly Partition[];

  constructor(partitions: readonly Partition[]) {
    this.#partitions = partitions;
  }

  /** From the local views: committed values with the pending writes held here. */
  local(operation: ListOperation): Answer {
    return this.#page(operation, true);
  }

  /** Each partition is read at a linearizable point of its own; the page as a whole is not one moment. */
  consistent(operation: ListOperation, asking: Asking): void {
    let left = this.#partitions.length;
    const read: WaitingRead = {
      isOpen: asking.isOpen,
      serve: () => {
        left--;
        if (left === 0) asking.answer(this.#page(operation, false));
      },
    };
    for (const partition of this.#partitions) {
      const held = partition.pending.keysWith(operation.prefix).flatMap((key) => [...partition.pending.ofKey(key)]);
      partition.gates.wait(held, () => partition.linearize(read), asking.isOpen);
    }
  }

  #page(operation: ListOperation, withPending: boolean): Answer {
    const parts = this.#partitions.map((partition) => readEntries(partition, operation, withPending));
    // Beyond the last key of a part that was cut off, nothing is known: the page ends there.
    const ends = parts.flatMap(({ endsAt }) => (endsAt === null ? [] : [endsAt])).sort(compareText);
    const end = ends[0] ?? null;
    const known = parts
      .flatMap(({ entries }) => entries)
      .filter(({ key }) => end === null || compareText(key, end) <= 0);
    known.sort((a, b) => compareText(a.key, b.key));
    const entries = known.slice(0, operation.limit);
    const isCut = end !== null || known.length > entries.length;
    const next = isCut ? (known.length > entries.length ? (entries.at(-1)?.key ?? null) : end) : null;
    return { kind: 'list', entries, next, timeout: false };
  }
}

interface Part {
  readonly entries: ListEntry[];
  /** The part was cut off after this key; null: it has all. */
  readonly endsAt: string | null;
}

/** Entries of one partition: at most `limit`, and as many as fit into a page's bytes, but one. */
function readEntries(
  partition: Partition,
  { prefix, after, limit, keysOnly }: ListOperation,
  withPending: boolean,
): Part {
  const { keys } = partition.state;
  const entries: ListEntry[] = [];
  let bytes = 0;
  const end = prefixEnd(prefix);
  const isInside = after !== '' && compareText(after, prefix) >= 0;
  const range = {
    from: isInside ? `${keys.user(after)}\0` : keys.user(prefix),
    to: end === null ? keys.userTo : keys.user(end),
  };
  const overlaid = withPending
    ? new Set([...partition.pending.keysWith(prefix), ...partition.readAhead.keysWith(prefix)])
    : [];
  const pending = [...overlaid].filter((key) => after === '' || compareText(key, after) > 0).sort(compareText);
  let at = 0;
  let lastKey = '';
  const isFull = (): boolean => entries.length >= limit || bytes >= pageBytes;
  const add = (key: string, value: Value | null): void => {
    lastKey = key;
    const view = viewOf(value);
    if (value === null || view === null) return;
    bytes += key.length + (keysOnly ? 0 : viewBytes(view));
    entries.push({ key, version: stampToText(valueStamp(value)), ...(keysOnly ? { value: null } : split(view)) });
  };
  const addView = (key: string): void => add(key, partition.shownView(key));
  for (const { key: storageKey, value } of partition.turn.store.scan(range)) {
    const key = storageKey.slice(keys.userFrom.length);
    while (at < pending.length && !isFull() && compareText(pending[at] as string, key) < 0)
      addView(pending[at++] as string);
    if (isFull()) return { entries, endsAt: lastKey };
    if (pending[at] === key) {
      addView(key);
      at++;
      continue;
    }
    add(key, decodeKeyRecord(value).value);
  }
  for (; at < pending.length; at++) {
    if (isFull()) return { entries, endsAt: lastKey };
    addView(pending[at] as string);
  }
  return { entries, endsAt: null };
}
