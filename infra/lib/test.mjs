import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { install } from './install.mjs';
import { runTool } from './process.mjs';
import { installSystemTools } from './system-tools.mjs';
import { compile } from './build.mjs';
import { addCounts, countsOfReport, summaryLine } from './counts.mjs';

/** A step resolves to its counts. A step that is one check counts as one test. */
export function testSteps(vitestArgs) {
  return [
    ...staticSteps(),
    ['system tools', installSystemTools],
    ['tests', () => vitest(['unit', 'integration'], vitestArgs)],
  ];
}

export function checkSteps() {
  return [...staticSteps(), ['house rules', () => vitest(['unit'], ['test/tidy'])]];
}

function staticSteps() {
  return [
    ['build', async () => countOf(await compile())],
    ['types of the tests', () => tool('typescript/bin/tsc', ['-p', 'tsconfig.test.json'])],
    ['lint', () => tool('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings'])],
    ['format', () => tool('oxfmt/bin/oxfmt', ['--check', '.'])],
  ];
}

/** Runs every step, also after one failed, and ends with the line that sums them all. Resolves to the exit code. */
export async function runTests(steps) {
  let total = { passed: 0, failed: 0, skipped: 0 };
  const failures = [];
  try {
    await install();
    for (const [name, step] of steps) {
      console.log(`── ${name}`);
      const counts = await step();
      if (counts.failed > 0) failures.push(`${name} (${counts.failed})`);
      total = addCounts(total, counts);
    }
  } catch (error) {
    console.error(error.expected === true ? `skerry: ${error.message}` : error);
    total = addCounts(total, { passed: 0, failed: 1, skipped: 0 });
    failures.push('the test command itself');
  }
  if (failures.length > 0) console.log(`\nFailed: ${failures.join(', ')}`);
  console.log(`\n${summaryLine(total)}`);
  return total.failed === 0 ? 0 : 1;
}

async function tool(path, args) {
  return countOf(await runTool(path, args));
}

/** A check as a whole is one test. */
function countOf(code) {
  return code === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

async function vitest(projects, args) {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-test-'));
  const file = join(folder, 'report.json');
  try {
    const code = await runTool('vitest/vitest.mjs', [
      'run',
      ...projects.flatMap((name) => ['--project', name]),
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
      ...args,
    ]);
    return countsOfReport(readReport(file), code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
