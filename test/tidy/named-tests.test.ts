import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { plantedBugs } from '../planted/bugs.ts';
import { readSource } from './source.ts';

const root = new URL('../..', import.meta.url);
const pages = ['docs/faults-of-others.md', 'docs/guarantees.md'].map((path) => readSource(path).text);
/** How these pages name a test: `file`: “name”. */
const named = pages.flatMap((text) =>
  [...text.matchAll(/`([^`]+\.test\.ts)`: “([^”]+)”/g)].map((match) => [match[1] ?? '', match[2] ?? ''] as const),
);

describe('what the documents say of tests', () => {
  it('names many', () => {
    expect(named.length).toBeGreaterThan(50);
  });

  it.each([...new Map(named.map((one) => [one.join(' '), one])).values()])('%s has “%s”', (file, name) => {
    const url = new URL(file, root);
    expect(existsSync(url), file).toBe(true);
    // A quote in a name is escaped in the source.
    const source = readFileSync(url, 'utf8').replaceAll("\\'", "'");
    expect(source.includes(`'${name}'`), name).toBe(true);
  });

  it('names planted bugs that there are', () => {
    const bugs = pages.flatMap((text) =>
      [...text.matchAll(/planted: ((?:`[\w-]+`(?:, )?)+)/g)].flatMap(
        (match) => (match[1] ?? '').match(/[\w-]+/g) ?? [],
      ),
    );
    expect(bugs.length).toBeGreaterThan(10);
    expect(bugs.filter((name) => plantedBugs.every((bug) => bug.name !== name))).toEqual([]);
  });
});
