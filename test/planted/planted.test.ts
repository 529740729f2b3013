import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { plantedBugs } from './bugs.ts';
import { PatchError, plant, type Edit } from './lib/bug.ts';
import { renderReport } from './lib/report.ts';
import { patchDigest, type Results } from './lib/result.ts';

const root = new URL('../..', import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const results = JSON.parse(read('test/planted/results.json')) as Results;

describe('planted bugs', () => {
  it.each(plantedBugs.map((bug) => [bug.name, bug] as const))('%s still fits the code', (_, { edits }) => {
    expect(edits.length).toBeGreaterThan(0);
    for (const file of new Set(edits.map((edit) => edit.file))) {
      const original = read(file);
      expect(edits.filter((edit) => edit.file === file).reduce(plant, original)).not.toBe(original);
    }
  });

  it('have names of their own, and are at least twenty', () => {
    expect(new Set(plantedBugs.map(({ name }) => name)).size).toBe(plantedBugs.length);
    expect(plantedBugs.length).toBeGreaterThanOrEqual(20);
  });

  it('are looked for in files that exist', () => {
    const files = plantedBugs.flatMap(({ bench }) => (bench.kind === 'tests' ? bench.files : []));
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('were all tried in their present form, and caught within 2,000 seeds; else: npm run planted -- NAME', () => {
    const untried = plantedBugs.filter((bug) => results[bug.name]?.patch !== patchDigest(bug)).map(({ name }) => name);
    expect(untried).toEqual([]);
    const missed = plantedBugs
      .filter(({ name }) => results[name]?.caught === null || (results[name]?.seeds ?? 0) > 2_000)
      .map(({ name }) => name);
    expect(missed).toEqual([]);
  });

  it('stand in the documentation as the last run found them', () => {
    expect(read('docs/planted.md')).toBe(renderReport(plantedBugs, results));
  });
});

describe('a patch', () => {
  const edit: Edit = { file: 'f.ts', find: 'a + b', replace: 'a - b' };

  it('is made where its text stands', () => {
    expect(plant('x = a + b;', edit)).toBe('x = a - b;');
  });

  it('fails loudly where its text is not there, or there twice', () => {
    expect(() => plant('x = a * b;', edit)).toThrow(PatchError);
    expect(() => plant('x = a + b; y = a + b;', edit)).toThrow('2 places');
  });
});
