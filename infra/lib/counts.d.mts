export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function countsOfReport(report: object | null, exitCode: number): Counts;
export function addCounts(a: Counts, b: Counts): Counts;
export function summaryLine(counts: Counts): string;
