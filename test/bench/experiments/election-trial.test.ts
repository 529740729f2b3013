import { expect, test } from 'vitest';
import { spreadOf } from '../lib/statistics.ts';
import { electionTrial, type ElectionSettings } from './election-trial.ts';

const trials = 60;
const wide: ElectionSettings = { timeoutMsMin: 150, timeoutMsMax: 300, preVote: true };

function timesOf(settings: ElectionSettings): number[] {
  return Array.from(
    { length: trials },
    (_, seed) => electionTrial(settings, seed).electedMs ?? Number.POSITIVE_INFINITY,
  );
}

test('no leader comes before the least timeout is over, counted from the last heartbeat', () => {
  // The crash is at most half the least timeout after it.
  for (const ms of timesOf(wide)) expect(ms).toBeGreaterThan(75);
});

test('every trial ends with a leader whose log has all that was committed', () => {
  const winners = Array.from({ length: trials }, (_, seed) => electionTrial(wide, seed).winner);
  expect(new Set(winners)).toEqual(new Set(['s2', 's3']));
});

test('without pre-vote, equal timeouts split the vote again and again, and spread ones do not', () => {
  const plain = { ...wide, preVote: false };
  const equal = timesOf({ ...plain, timeoutMsMax: 150 });
  expect(spreadOf(equal).median).toBeGreaterThan(2 * spreadOf(timesOf(plain)).median);
});

test('an election takes at least a question and an answer from each of two others, and a seed repeats it', () => {
  const first = electionTrial(wide, 5);
  // Asked in advance and then for votes: four servers each, one of them gone, two answers needed.
  expect(first.messages).toBeGreaterThanOrEqual(2 * (4 + 2));
  expect(electionTrial(wide, 5)).toEqual(first);
  expect(electionTrial({ ...wide, preVote: false }, 5).messages).toBeLessThan(first.messages);
});
