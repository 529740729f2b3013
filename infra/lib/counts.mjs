/** What vitest's JSON report and exit code come to; `report` is null when it could not be read. */
export function countsOfReport(report, exitCode) {
  if (report === null) return { passed: 0, failed: 1, skipped: 0 };
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const file of report.testResults) {
    for (const test of file.assertionResults) counts[kindOf(test.status)]++;
    // A file that could not even be loaded has no tests to fail.
    const failedTests = file.assertionResults.some((test) => kindOf(test.status) === 'failed');
    if (file.status === 'failed' && !failedTests) counts.failed++;
  }
  // Unhandled errors, or no tests at all: vitest fails though no test does.
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.passed + counts.failed === 0) counts.failed = 1;
  return counts;
}

function kindOf(status) {
  if (status === 'passed') return 'passed';
  return status === 'failed' ? 'failed' : 'skipped';
}

export function addCounts(a, b) {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

export function summaryLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
