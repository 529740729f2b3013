import { describe, expect, test } from 'vitest';
import { addCounts, countsOfReport, summaryLine } from '../../infra/lib/counts.mjs';

function file(status: string, ...tests: string[]): object {
  return { status, assertionResults: tests.map((result) => ({ status: result })) };
}

describe('the sum of a test run', () => {
  test.each([
    [
      'tests that pass, fail and are left out',
      [file('failed', 'passed', 'failed', 'pending', 'todo')],
      1,
      { passed: 1, failed: 1, skipped: 2 },
    ],
    [
      'a file that could not be loaded',
      [file('passed', 'passed'), file('failed')],
      1,
      { passed: 1, failed: 1, skipped: 0 },
    ],
    [
      'a file whose hook failed after its tests passed',
      [file('failed', 'passed')],
      1,
      { passed: 1, failed: 1, skipped: 0 },
    ],
    [
      'an unhandled error though every test passed',
      [file('passed', 'passed')],
      1,
      { passed: 1, failed: 1, skipped: 0 },
    ],
    ['no tests at all', [], 0, { passed: 0, failed: 1, skipped: 0 }],
    ['a clean run', [file('passed', 'passed', 'passed')], 0, { passed: 2, failed: 0, skipped: 0 }],
  ])('counts %s', (_, testResults, exitCode, counts) => {
    expect(countsOfReport({ testResults }, exitCode)).toEqual(counts);
  });

  test('counts a report that is missing as one failure', () => {
    expect(countsOfReport(null, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  test('is one line, with the skipped only if there are any', () => {
    expect(summaryLine(addCounts({ passed: 1, failed: 2, skipped: 0 }, { passed: 3, failed: 0, skipped: 0 }))).toBe(
      '4 passed, 2 failed',
    );
    expect(summaryLine({ passed: 1, failed: 0, skipped: 5 })).toBe('1 passed, 0 failed, 5 skipped');
  });
});
