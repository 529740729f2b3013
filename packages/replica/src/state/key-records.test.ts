import { partitionId, replicaId, utf8Decode, utf8Encode } from '@skerry/base';
import { registerValue } from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import { stateKeys } from '../keys.ts';
import type { StorageReader } from '../ports/storage.ts';
import { StagedStore } from '../staged-store.ts';
import type { KeyRecord } from './key-record.ts';
import { KeyRecords } from './key-records.ts';

const keys = stateKeys(partitionId(0), 0);

class Memory implements StorageReader {
  readonly records: Map<string, Uint8Array> = new Map();
  gets = 0;

  get(key: string): Uint8Array | undefined {
    this.gets++;
    return this.records.get(key);
  }

  scan(): Iterable<never> {
    return [];
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

function made(): { memory: Memory; records: KeyRecords; save: () => void } {
  const memory = new Memory();
  const store = new StagedStore(memory);
  const save = (): void => {
    store.promoteDeferred();
    const batch = store.takeBatch();
    if (batch === null) return;
    for (const { key, value } of batch.writes) {
      if (value === null) memory.records.delete(key);
      else memory.records.set(key, value.slice());
    }
    store.durable(batch.id);
  };
  return { memory, records: new KeyRecords(keys, store), save };
}

describe('the records of keys', () => {
  it('are read from storage once, and not again for a while', () => {
    const { memory, records, save } = made();
    records.put('a', recordOf('1'));
    save();
    const fresh = new KeyRecords(keys, new StagedStore(memory));
    expect([textOf(fresh.read('a')), textOf(fresh.read('a'))]).toEqual(['1', '1']);
    expect(memory.gets).toBe(1);
  });

  it('are the last that were put, also when many others were in between, and none once deleted', () => {
    const { memory, records, save } = made();
    const large = 'x'.repeat(100_000);
    records.put('a', recordOf('1'));
    records.put('b', recordOf('1'));
    for (let i = 0; i < 200; i++) {
      records.put(`k${i % 90}`, recordOf(`${large}${i}`));
      if (i % 20 === 0) records.put('a', recordOf(String(i)));
      if (i % 7 === 0) save();
    }
    expect(textOf(records.read('a'))).toBe('180');
    expect(textOf(records.read('b'))).toBe('1');
    for (let i = 110; i < 200; i++) expect(textOf(records.read(`k${i % 90}`))).toBe(`${large}${i}`);
    records.delete('a');
    expect(records.read('a')).toBeNull();
    save();
    expect(records.read('a')).toBeNull();
    // What is kept is bounded: reading all of it again has to go to storage.
    const before = memory.gets;
    for (let i = 0; i < 90; i++) records.read(`k${i}`);
    expect(memory.gets).toBeGreaterThan(before);
  });

  it('do not change when storage reuses its memory', () => {
    const { memory, records, save } = made();
    records.put('a', recordOf('1'));
    save();
    const fresh = new KeyRecords(keys, new StagedStore(memory));
    fresh.read('a');
    memory.records.get(keys.user('a'))?.fill(0);
    expect(textOf(fresh.read('a'))).toBe('1');
  });
});
