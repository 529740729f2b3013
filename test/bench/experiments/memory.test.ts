import { expect, test } from 'vitest';
import { anonymousMiB, ownMemoryMiB } from './memory.ts';

test('counts what is anonymous and not what is mapped from files', () => {
  const status = 'Name:\tnode\nVmRSS:\t  900000 kB\nRssAnon:\t  102400 kB\nRssFile:\t  790000 kB\n';
  expect(anonymousMiB(status)).toBe(100);
  expect(anonymousMiB('Name:\tnode\n')).toBeNaN();
});

test('says nothing of a process that there is not', () => {
  expect(ownMemoryMiB(2 ** 30)).toBeNaN();
});
