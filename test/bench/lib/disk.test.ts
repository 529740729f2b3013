import { expect, test } from 'vitest';
import { countersOf } from './disk.ts';

const diskstats = ` 254       0 vda 100 2 3000 40 500 60 7000 80 0 90 100 11 12 13 14 15 16
 254      17 vdb 1 1 1 1 1 1 9 1 0 1 1 1 1 1 1 33 1
`;

test('reads what the disk of a folder wrote and flushed, and not that of another', () => {
  expect(countersOf(diskstats, 254 << 8)).toEqual({ writtenBytes: 7_000 * 512, flushes: 15 });
  expect(countersOf(diskstats, (254 << 8) | 17)).toEqual({ writtenBytes: 9 * 512, flushes: 33 });
});

test('says nothing of a disk that is not listed', () => {
  expect(countersOf(diskstats, 7 << 8).writtenBytes).toBeNaN();
});
