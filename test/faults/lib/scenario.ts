/** One fault check on real processes. `npm run faults -- NAME` runs it; it prints its figures and fails on a violation. */
export interface Scenario {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** How often its fault is made to happen unless `--trials` says otherwise. */
  readonly trials: number;
  readonly run: (context: ScenarioContext) => Promise<Report>;
}

export interface ScenarioContext {
  readonly trials: number;
  /** What carries changes between regions, in checks of several. Default direct. */
  readonly link?: LinkKind;
  /** Of a check that draws what it does: where it begins. Default: its own. */
  readonly seed?: number;
  /** Of a check that hurts in several ways: only those whose names have this text in them. */
  readonly only?: string;
  /** The variant for `npm test`: fewer keys, shorter faults. */
  readonly short?: boolean;
  /** Progress, for people. */
  readonly say: (line: string) => void;
}

export type LinkKind = 'direct' | 'nats';

export interface Report {
  readonly figures: readonly Figure[];
  /** What was promised and did not hold; empty: it passed, if nothing was too slow. */
  readonly violations: readonly string[];
  /** Why it could not be run here; it then has no figures and does not fail. */
  readonly skipped?: string;
}

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ms' | 'count' | 'µs' | 'per second' | 'times' | 'bytes' | 'MiB';
  /** At most this; above it is a violation. */
  readonly max?: number;
}

export function report(figures: readonly Figure[], violations: readonly string[]): Report {
  return { figures, violations };
}

/** Figures above their limit. They fail a check, but not the short variants of it in `npm test`, where others may run beside it. */
export function tooSlow({ figures }: Report): string[] {
  return figures
    .filter(({ value, max }) => max !== undefined && !(value <= max))
    .map(({ name, value, unit, max }) => `${name}: ${show(value)} ${unit}, at most ${max} is promised`);
}

/** Median and worst of `samples`, with their limits. */
export function spread(
  name: string,
  samples: readonly number[],
  limits: { readonly median?: number; readonly max?: number } = {},
): Figure[] {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (fraction: number): number => sorted[Math.floor((sorted.length - 1) * fraction)] ?? Number.NaN;
  return [
    { name: `${name}, least`, value: at(0), unit: 'ms' },
    {
      name: `${name}, median`,
      value: at(0.5),
      unit: 'ms',
      ...(limits.median === undefined ? {} : { max: limits.median }),
    },
    { name: `${name}, most`, value: at(1), unit: 'ms', ...(limits.max === undefined ? {} : { max: limits.max }) },
  ];
}

/** Percentiles of `samples`, with their limits. */
export function percentiles(
  name: string,
  samples: readonly number[],
  limits: { readonly p99?: number } = {},
): Figure[] {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (fraction: number): number => sorted[Math.floor((sorted.length - 1) * fraction)] ?? Number.NaN;
  return [
    { name: `${name}, p50`, value: at(0.5), unit: 'ms' },
    { name: `${name}, p99`, value: at(0.99), unit: 'ms', ...(limits.p99 === undefined ? {} : { max: limits.p99 }) },
    { name: `${name}, most`, value: at(1), unit: 'ms' },
  ];
}

export function show(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
