import type { Asking } from './asking.ts';
import { compareText } from '@skerry/base';
import { prefixEnd } from './keys.ts';
import { versionOf, type Partition } from './partition.ts';
import type { Answer, ListEntry, ReadOperation } from './requests.ts';
import type { WaitingRead } from './reads.ts';
import { decodeKeyRecord } from './state/key-record.ts';

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
      get isOpen(): boolean {
        return asking.isOpen();
      },
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
    const { limit, prefix } = operation;
    const entries: ListEntry[] = [];
    for (const partition of this.#partitions) entries.push(...readEntries(partition, operation, withPending));
    entries.sort((a, b) => compareText(a.key, b.key));
    const page = entries.slice(0, limit);
    const last = page.at(-1);
    // One more than the limit is read per partition, so a full page knows whether there is another.
    const next = entries.length > limit && last !== undefined && last.key.startsWith(prefix) ? last.key : null;
    return { kind: 'list', entries: page, next, timeout: false };
  }
}

function readEntries(partition: Partition, { prefix, after, limit, keysOnly }: ListOperation, withPending: boolean): ListEntry[] {
  const { keys } = partition.state;
  const entries: ListEntry[] = [];
  const end = prefixEnd(prefix);
  const isInside = compareText(after, prefix) >= 0;
  const range = { from: isInside && after !== '' ? `${keys.user(after)}\0` : keys.user(prefix), to: end === null ? keys.userTo : keys.user(end) };
  const pending = withPending
    ? partition.pending.keysWith(prefix).filter((key) => after === '' || compareText(key, after) > 0).sort(compareText)
    : [];
  let at = 0;
  const addPending = (key: string): void => {
    const view = partition.localView(key);
    if (view !== null && view.value !== null) entries.push({ key, value: keysOnly ? null : view.value, version: versionOf(view.stamp) ?? '' });
  };
  for (const { key: storageKey, value } of partition.turn.store.scan(range)) {
    if (entries.length > limit) break;
    const key = storageKey.slice(keys.userFrom.length);
    const record = decodeKeyRecord(value);
    while (at < pending.length && compareText(pending[at] as string, key) < 0) addPending(pending[at++] as string);
    if (pending[at] === key) {
      addPending(key);
      at++;
    } else if (record.value !== null) entries.push({ key, value: keysOnly ? null : record.value, version: versionOf(record.stamp) ?? '' });
  }
  for (; at < pending.length && entries.length <= limit; at++) addPending(pending[at] as string);
  return entries.slice(0, limit + 1);
}
