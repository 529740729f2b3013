import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { figuresOf } from './figures.ts';
import { repositoryRoot } from './lib/programs.ts';
import { readmeSection, resultsFolder, withSection } from './readme.ts';

test('the README shows the figures and plots of docs/benchmarks; npm run bench -- --readme writes them', () => {
  const text = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
  expect(withSection(text, readmeSection(resultsFolder))).toBe(text);
});

test('shows the command, says what is a hint, and which plots there are', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-bench-readme-'));
  try {
    const figures = figuresOf({ 'set-vs-etcd': { value: 7, note: 'a note' } });
    const save = (loadBefore: number): void => {
      const now = { command: 'npm run bench -- --quick', commit: 'abc', startedAt: '2026-01-02T03:04:05Z' };
      writeFileSync(
        join(folder, 'figures.json'),
        JSON.stringify({ ...now, cores: 2, processor: 'P', loadBefore, figures }),
      );
    };
    save(0.1);
    expect(readmeSection(folder)).toContain('`npm run bench -- --quick`');
    expect(readmeSection(folder)).toMatch(/against etcd's better figure +\| ≥ 6 × +\| ≥ 10 × +\| 7 × +\| reach +\|/);
    expect(readmeSection(folder)).not.toContain('A hint');
    expect(readmeSection(folder)).not.toContain('.svg');
    save(3);
    writeFileSync(join(folder, 'ramp-throughput.svg'), '<svg/>');
    expect(readmeSection(folder)).toContain('A hint, not a result');
    expect(readmeSection(folder)).toContain('](docs/benchmarks/ramp-throughput.svg)');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a README without a place for them is refused', () => {
  expect(() => withSection('# Skerry', 'section')).toThrow('has no lines');
});
