import { expect, test } from 'vitest';
import { ownerOf } from './flame.ts';

test('a profile belongs to the process whose number is in its name; those of threads are left out', () => {
  expect(ownerOf('CPU.20261130.082823.17435.0.001.cpuprofile', [17434, 17435])).toBe('node-2');
  expect(ownerOf('CPU.20261130.082822.17409.0.001.cpuprofile', [17434, 17435])).toBe('client');
  expect(ownerOf('CPU.20261130.082822.17435.1.002.cpuprofile', [17434, 17435])).toBeNull();
});
