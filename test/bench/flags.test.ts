import { expect, test } from 'vitest';
import { readFlags } from './flags.ts';

test('each mode has times of its own, and what is given wins', () => {
  expect(readFlags([])).toMatchObject({ seconds: 5, warmUpSeconds: 2, rounds: 3, only: null });
  expect(readFlags(['--quick'])).toMatchObject({ seconds: 3, warmUpSeconds: 1.5, parts: ['peers', 'size', 'ramp'] });
  expect(readFlags(['--full'])).toMatchObject({ seconds: 0.8, warmUpSeconds: 0.4, rounds: 3, minutesMax: 35 });
  expect(readFlags(['--full', '--long'])).toMatchObject({ seconds: 5, warmUpSeconds: 2, minutesMax: null });
  expect(readFlags(['--full', '--minutes', '5'])).toMatchObject({ minutesMax: 5 });
  expect(readFlags(['--experiment', 'flame'])).toMatchObject({ seconds: 5, only: ['skerry'] });
  expect(readFlags(['--experiment', 'ramp'])).toMatchObject({ seconds: 30, only: ['skerry', 'etcd'] });
  expect(readFlags(['--quick', '--seconds', '1', '--part', 'size'])).toMatchObject({ seconds: 1, parts: ['size'] });
});

test('lists are read as lists', () => {
  const flags = readFlags(['--workload', 'set, ycsb-a', '--in-flight', '1,64', '--distribution', 'zipf', '-o', 'json']);
  expect(flags).toMatchObject({ workloads: ['set', 'ycsb-a'], inFlight: [1, 64], distributions: ['zipf'], json: true });
});

test.each([
  [['--workload', 'sett'], /--workload takes set, get.*not "sett"/],
  [['--in-flight', '0'], /--in-flight takes a number above 0, not "0"/],
  [['--warm-up', 'soon'], /--warm-up takes seconds/],
  [['--seconds', '0'], /--seconds takes a number above 0/],
  [['--quick', '--long'], /go with --full/],
  [['--part', 'all'], /--part takes peers, size, ramp/],
  [['-o', 'xml'], /-o takes json or table/],
  [['--colour'], /colour/],
])('refuses %j', (args, problem) => {
  expect(() => readFlags(args)).toThrow(problem);
});
