import { expect, test } from 'vitest';
import { throughputOf } from './etcd-own-load.ts';

test('reads the throughput whether etcd passed or not, and nothing else', () => {
  expect(throughputOf(' 60 / 60 Booo! 100.00%1m0s\nPASS: Throughput is 7996 writes/s\nPASS\n')).toBe(7_996);
  expect(throughputOf('FAIL: Throughput too low: 2103 writes/s\nSlowest request took too long: 1.2s\n')).toBe(2_103);
  expect(() => throughputOf('Error: context deadline exceeded')).toThrow(/told no throughput.*deadline/);
});
