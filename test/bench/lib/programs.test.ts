import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compareVersions, findProgram, findPrograms } from './programs.ts';

const name = 'skerry-no-such-server';
const path = process.env['PATH'];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-bench-programs-'));
});

afterEach(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true, force: true });
});

/** A program that says this version; returns its folder. */
function install(version: string): string {
  const home = join(folder, version);
  mkdirSync(home);
  writeFileSync(join(home, name), `#!/bin/sh\necho '${name} version v${version}'\n`);
  chmodSync(join(home, name), 0o755);
  return home;
}

test('finds every version on PATH, the newest first, and each once', () => {
  const [old, twice] = [install('2.9.10'), install('2.11.3')];
  const folders = [old, twice, install('2.10.0'), twice];
  process.env['PATH'] = [...folders, path].join(delimiter);
  expect(findPrograms(name, null).map(({ version }) => version)).toEqual(['2.11.3', '2.10.0', '2.9.10']);
});

test('the one that was named comes first, also if it is older, and must work', () => {
  process.env['PATH'] = [install('3.5.1'), path].join(delimiter);
  const named = join(install('3.4.23'), name);
  expect(findPrograms(name, named).map(({ version }) => version)).toEqual(['3.4.23', '3.5.1']);
  expect(findProgram(name, named)?.version).toBe('3.4.23');
  expect(() => findPrograms(name, join(folder, 'nothing'))).toThrow('does not say its version');
  expect(findProgram('skerry-not-even-this', null)).toBeNull();
});

test.each([
  ['2.9.10', '2.11.0', -1],
  ['3.10.0', '3.9.9', 1],
  ['3.5.0', '3.5.0', 0],
  ['3.5.0-rc.1', '3.5.0-rc.2', -1],
])('%s against %s', (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign);
  expect(Math.sign(compareVersions(b, a))).toBe(-sign + 0);
});
