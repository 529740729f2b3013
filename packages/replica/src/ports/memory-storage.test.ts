import { expect, it } from 'vitest';
import { describeStorage, memoryHarness } from '../testing/storage-suite.ts';
import { MemoryStorage } from './memory-storage.ts';

describeStorage('MemoryStorage', () => Promise.resolve(memoryHarness()));

it('loses in a crash exactly what was not flushed', () => {
  const storage = new MemoryStorage();
  storage.enqueue([{ key: 'a', value: new Uint8Array([1]) }]);
  storage.enqueue([{ key: 'b', value: new Uint8Array([2]) }]);
  storage.flushOne();
  storage.crash();
  expect(storage.queuedCount).toBe(0);
  expect([...storage.scan({ from: '', to: 'z' })].map((record) => record.key)).toEqual(['a']);
});
