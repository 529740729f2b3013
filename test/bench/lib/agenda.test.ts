import { expect, test } from 'vitest';
import { Agenda } from './agenda.ts';

const items = [
  { name: 'one', seconds: 100 },
  { name: 'two', seconds: 100 },
  { name: 'three', seconds: 200 },
];

test('says what is left, by the pace of what was done', () => {
  let nowMs = 0;
  const agenda = new Agenda(items, null, () => nowMs);
  expect(agenda.begin()).toBe('1 of 3: one (0 s spent, about 7 min left)');
  nowMs = 200_000;
  agenda.end();
  expect(agenda.begin()).toBe('2 of 3: two (3 min spent, about 10 min left)');
});

test('leaves out what would end after the limit, and goes on with what fits', () => {
  let nowMs = 0;
  const agenda = new Agenda([...items, { name: 'four', seconds: 20 }], 4, () => nowMs);
  expect(agenda.begin()).not.toBeNull();
  nowMs = 100_000;
  agenda.end();
  expect(agenda.begin()).not.toBeNull();
  nowMs = 200_000;
  agenda.end();
  expect(agenda.begin()).toBeNull();
  expect(agenda.begin()).toBe('4 of 4: four (3 min spent, about 20 s left)');
});

test('a part that was left out does not count for the pace', () => {
  let nowMs = 0;
  const agenda = new Agenda([{ name: 'long', seconds: 1_000 }, ...items], 10, () => nowMs);
  expect(agenda.begin()).toBeNull();
  agenda.begin();
  nowMs = 100_000;
  agenda.end();
  expect(agenda.begin()).toBe('3 of 4: two (2 min spent, about 5 min left)');
});
