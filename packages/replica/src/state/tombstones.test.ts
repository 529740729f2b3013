import { partitionId, replicaId, type ReplicaId } from '@skerry/base';
import { mergeValues, operationDelta, valueStamp, type Dot, type Value } from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import { stateKeys } from '../keys.ts';
import { MemoryStorage } from '../ports/memory-storage.ts';
import { StagedStore } from '../staged-store.ts';
import { KeyRecords } from './key-records.ts';
import { Tombstones, type Positions } from './tombstones.ts';

const keys = stateKeys(partitionId(0), 0);
const [reached, waitedFor] = [replicaId(1), replicaId(2)];
const stable: Positions = new Map([[reached, 5]]);

class Deleted {
  readonly #store = new StagedStore(new MemoryStorage());
  readonly records: KeyRecords = new KeyRecords(keys, this.#store);
  tombstones: Tombstones = new Tombstones(keys, this.#store, this.records);
  #number = 0;

  /** One that came by state exchange, `wallMs` after the start. */
  exchanged(key: string, wallMs: number, positions: Positions): void {
    const replica = replicaId(9);
    const number = ++this.#number;
    const value: Value = {
      parts: [
        {
          type: 'register',
          stamp: { wallMs, counter: 0, replica },
          dot: { replica, sequence: number },
          value: null,
          replaces: null,
        },
      ],
    };
    this.records.put(key, { value, lease: null, given: null });
    this.tombstones.addExchanged(key, value, { positions, number, clusterMs: wallMs });
  }

  /** One that entry `sequence` of `origin` made. */
  add(
    key: string,
    value: Value,
    { positions, ...at }: { readonly origin: ReplicaId; readonly sequence: number; readonly positions?: Positions },
  ): void {
    this.records.put(key, { value, lease: null, given: null });
    this.tombstones.add(key, value, { ...at, clusterMs: 0, positions: () => positions ?? new Map() });
  }

  /** As after a restart: from the storage alone. */
  reopen(): void {
    this.tombstones = new Tombstones(keys, this.#store, this.records);
  }

  left(...names: string[]): string[] {
    return names.filter((key) => this.records.read(key) !== null);
  }
}

describe('tombstones that came by state exchange', () => {
  it.each([false, true])('go, though ones before them wait for more (reopened: %s)', (reopens) => {
    const deleted = new Deleted();
    for (const n of [1, 2, 3]) deleted.exchanged(`waits-${n}`, n, new Map([[waitedFor, 1]]));
    deleted.exchanged('due-1', 4, new Map([[reached, 5]]));
    deleted.exchanged('waits-4', 5, new Map([[reached, 6]]));
    deleted.exchanged('due-2', 6, new Map([[reached, 4]]));
    deleted.exchanged('young', 20, new Map());
    if (reopens) deleted.reopen();
    const all = ['waits-1', 'waits-2', 'waits-3', 'due-1', 'waits-4', 'due-2', 'young'];
    expect(deleted.tombstones.isAnyDue(stable, 3)).toBe(false);
    expect(deleted.tombstones.isAnyDue(stable, 10)).toBe(true);
    // Ones that wait do not count.
    expect(deleted.tombstones.collect(stable, { untilMs: 10, limit: 2 }, () => {})).toMatchObject({ wallMs: 6 });
    expect(deleted.left(...all)).toEqual(['waits-1', 'waits-2', 'waits-3', 'waits-4', 'young']);
    expect(deleted.tombstones.isAnyDue(stable, 10)).toBe(false);
    expect(deleted.tombstones.collect(stable, { untilMs: 10, limit: 2 }, () => {})).toBeNull();
    // More comes after that, and what was waited for.
    deleted.exchanged('due-3', 21, new Map());
    const later = new Map([...stable, [waitedFor, 1] as const]);
    expect(deleted.tombstones.isAnyDue(later, 10)).toBe(true);
    deleted.tombstones.collect(later, { untilMs: 30, limit: 100 }, () => {});
    expect(deleted.left(...all, 'due-3')).toEqual(['waits-4']);
  });

  it('go a few at a time, as many as the limit says', () => {
    const deleted = new Deleted();
    const names = ['a', 'b', 'c', 'd', 'e'];
    names.forEach((key, index) => deleted.exchanged(key, index, new Map([[reached, index < 2 ? 1 : 2]])));
    const left = [2, 2, 2].map((limit) => {
      deleted.tombstones.collect(stable, { untilMs: 10, limit }, () => {});
      return deleted.left(...names).length;
    });
    expect(left).toEqual([3, 1, 0]);
  });
});

describe('a tombstone of a set that was deleted twice', () => {
  const observed = (sequence: number): Dot => ({ replica: replicaId(9), sequence });
  const deletedSet = (dots: readonly Dot[], wallMs: number): Value =>
    operationDelta({
      dot: observed(wallMs),
      stamp: { wallMs, counter: 0, replica: replicaId(9) },
      body: { type: 'delete', parts: [{ type: 'set', observed: dots }] },
    });

  it('waits for the later entry, though that has the earlier stamp: others may still have what it took away (I11)', () => {
    const deleted = new Deleted();
    const first = deletedSet([observed(1)], 8);
    deleted.add('k', first, { origin: reached, sequence: 5 });
    const both = mergeValues(first, deletedSet([observed(2)], 3)).state;
    expect(valueStamp(both)).toEqual(valueStamp(first));
    deleted.add('k', both, { origin: waitedFor, sequence: 1 });
    deleted.tombstones.collect(stable, { untilMs: 10, limit: 10 }, () => {});
    expect(deleted.left('k')).toEqual(['k']);
    deleted.tombstones.collect(new Map([[waitedFor, 1]]), { untilMs: 10, limit: 10 }, () => {});
    expect(deleted.left('k')).toEqual([]);
  });

  it('waits for all that was applied before it, as others of these entries took away the rest (I11)', () => {
    const deleted = new Deleted();
    const at = { origin: reached, sequence: 5 };
    const positions = new Map([[reached, 4] as const, [waitedFor, 1] as const]);
    deleted.add('k', deletedSet([observed(1)], 8), { ...at, positions });
    deleted.add('later', deletedSet([observed(2)], 9), { ...at, positions: new Map([[reached, 4]]) });
    const before = new Map([...stable, [waitedFor, 0] as const]);
    expect(deleted.tombstones.isAnyDue(before, 10)).toBe(false);
    deleted.tombstones.collect(before, { untilMs: 10, limit: 10 }, () => {});
    expect(deleted.left('k', 'later')).toEqual(['k', 'later']);
    const later = new Map([...stable, [waitedFor, 1] as const]);
    expect(deleted.tombstones.isAnyDue(later, 10)).toBe(true);
    deleted.tombstones.collect(later, { untilMs: 10, limit: 10 }, () => {});
    expect(deleted.left('k', 'later')).toEqual([]);
  });

  it('does not wait for a log that went with the state when the region was re-seeded', () => {
    const deleted = new Deleted();
    const positions = new Map([[reached, 4] as const, [replicaId(7), 3] as const]);
    deleted.add('k', deletedSet([observed(1)], 8), { origin: reached, sequence: 5, positions });
    deleted.tombstones.collect(stable, { untilMs: 10, limit: 10 }, () => {});
    expect(deleted.left('k')).toEqual([]);
  });
});
