import { partitionId, replicaId, utf8Decode, utf8Encode } from '@skerry/base';
import { registerValue } from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import { stateKeys } from '../keys.ts';
import { MemoryStorage } from '../ports/memory-storage.ts';
import { StagedStore } from '../staged-store.ts';
import { encodeKeyRecord, type KeyRecord } from './key-record.ts';
import { KeyRecords } from './key-records.ts';

const keys = stateKeys(partitionId(0), 0);

/** What the storage holds lies in memory that it uses again. */
class Memory extends MemoryStorage {
  gets = 0;

  override get(key: string): Uint8Array | undefined {
    this.gets++;
    return super.get(key);
  }
}

function recordOf(text: string): KeyRecord {
  const stamp = { wallMs: 1, counter: 0, replica: replicaId(1) };
  return {
    value: {
      parts: [
        {
          type: 'register',
          stamp,
          dot: { replica: replicaId(1), sequence: 1 },
          value: utf8Encode(text),
          replaces: null,
        },
      ],
    },
    lease: null,
    given: null,
  };
}

function textOf(record: KeyRecord | null): string | null {
  const bytes = registerValue(record?.value ?? null);
  return bytes === null ? null : utf8Decode(bytes);
}

function made(runsBytesMax = 1_000_000): { memory: Memory; records: KeyRecords; save: () => void } {
  const memory = new Memory();
  const store = new StagedStore(memory, runsBytesMax);
  const save = (): void => {
    store.promoteDeferred();
    const batch = store.takeBatch();
    if (batch === null) return;
    memory.enqueue(batch.writes);
    memory.flushOne();
    store.durable(batch.id);
  };
  return { memory, records: new KeyRecords(keys, store), save };
}

/** A storage in which the tree has `a`. */
function treeWith(record: KeyRecord): Memory {
  const memory = new Memory();
  memory.enqueue([{ key: keys.user('a'), value: encodeKeyRecord(record) }]);
  memory.flushOne();
  return memory;
}

describe('the records of keys', () => {
  it('are read from storage once, and not again for a while', () => {
    const memory = treeWith(recordOf('1'));
    const records = new KeyRecords(keys, new StagedStore(memory));
    expect([textOf(records.read('a')), textOf(records.read('a'))]).toEqual(['1', '1']);
    expect(memory.gets).toBe(1);
  });

  it('are the last that were put, also when many others were in between, and none once deleted', () => {
    // Few stay in runs, so most are read from their places again.
    const { records, save } = made(2_000);
    for (let i = 0; i < 400; i++) {
      if (i % 3 > 0) records.read('a');
      records.put(`k${i % 90}`, recordOf(`value ${i}`));
      if (i % 20 === 0) records.put('a', recordOf(String(i)));
      if (i % 7 === 0) save();
    }
    expect(textOf(records.read('a'))).toBe('380');
    for (let i = 310; i < 400; i++) expect(textOf(records.read(`k${i % 90}`))).toBe(`value ${i}`);
    records.delete('a');
    expect(records.read('a')).toBeNull();
    save();
    expect(records.read('a')).toBeNull();
  });

  it('that are kept for reading are bounded: reading more than that goes to storage again', () => {
    const large = 'x'.repeat(100_000);
    const memory = new Memory();
    memory.enqueue(
      Array.from({ length: 90 }, (_, i) => ({
        key: keys.user(`k${i}`),
        value: encodeKeyRecord(recordOf(`${large}${i}`)),
      })),
    );
    memory.flushOne();
    const records = new KeyRecords(keys, new StagedStore(memory));
    for (let round = 0; round < 2; round++) for (let i = 0; i < 90; i++) records.read(`k${i}`);
    expect(memory.gets).toBeGreaterThan(100);
  });

  it('do not change when storage reuses its memory', () => {
    const memory = treeWith(recordOf('1'));
    const records = new KeyRecords(keys, new StagedStore(memory));
    records.read('a');
    memory.get(keys.user('a'))?.fill(0);
    expect(textOf(records.read('a'))).toBe('1');
  });
});
