import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkHistory } from './check-history.ts';

const shared = new URL('../../../../shared/histories/', import.meta.url);
const copies = new URL('./testdata/', import.meta.url);
const isShared = existsSync(new URL('verdicts.txt', shared));
const folder = isShared ? shared : copies;

const verdicts = readFileSync(new URL('verdicts.txt', folder), 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split(' ') as [string, string]);

describe(`recorded etcd histories (${isShared ? 'the 51 of ../shared/histories' : `../shared/histories is missing: the ${verdicts.length} copies in testdata`})`, () => {
  const startedMs = performance.now();

  it.each(verdicts)('%s is %s', (file, verdict) => {
    const result = checkHistory(readFileSync(new URL(file, folder), 'utf8'));
    expect(result.verdict).toBe(verdict);
    expect(result.verdict === 'violated' ? result.counterexample.operations.length : 0).toBeLessThan(30);
  });

  it('are all judged, and their violations shrunk, in less than 10 s together', () => {
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });
});

describe('the copies of histories', () => {
  it('hold both verdicts', () => {
    const copied = readFileSync(new URL('verdicts.txt', copies), 'utf8');
    expect(copied).toMatch(/violated/);
    expect(copied).toMatch(/linearizable/);
  });
});
