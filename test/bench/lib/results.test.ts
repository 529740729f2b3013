import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Circumstances } from './machine.ts';
import { pageOf, saveResults, type Results } from './results.ts';

const quiet: Circumstances = {
  processor: 'a processor',
  cores: 2,
  memoryGiB: 4,
  system: 'linux 6',
  node: '20.20.0',
  commit: 'abcdef0123',
  changed: false,
  command: 'npm run bench -- --quick',
  startedAt: '2026-01-01T00:00:00.000Z',
  loadBefore: 0.1,
};
const busy = { ...quiet, loadBefore: 3 };
const results: Results = {
  name: 'ramp',
  title: 'Ramp',
  page: 'a table',
  plots: { 'ramp-latency': '<svg/>' },
  data: { value: 1 / 3 },
  isTimed: true,
};
const system = {
  id: 'etcd',
  label: 'etcd',
  version: '3.4.23',
  durability: 'synced on a majority',
  settings: 'defaults',
  start: () => Promise.reject(new Error('not started here')),
} as const;

test('a page says command, machine, commit, versions and durability', () => {
  const page = pageOf(results, quiet, [system]);
  for (const part of [
    '`npm run bench -- --quick`',
    '2 cores of a processor',
    'abcdef0123',
    'etcd 3.4.23',
    'synced on a majority',
  ]) {
    expect(page).toContain(part);
  }
  expect(page).not.toContain('hint');
});

test('what was timed on a busy machine is called a hint, and what needs no time is not', () => {
  expect(pageOf(results, busy, [])).toContain('**A hint, not a result');
  expect(pageOf({ ...results, isTimed: false }, busy, [])).not.toContain('hint');
});

test('saves data, page and plots under the name of the result', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-bench-results-'));
  try {
    const files = saveResults(folder, results, quiet, [system]);
    expect(files).toEqual(['ramp.json', 'ramp.md', 'ramp-latency.svg'].map((name) => join(folder, name)));
    expect(JSON.parse(readFileSync(join(folder, 'ramp.json'), 'utf8'))).toMatchObject({
      value: 0.333333,
      commit: 'abcdef0123',
      systems: [{ id: 'etcd', version: '3.4.23' }],
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
