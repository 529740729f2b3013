import { textTable } from './lib/table.ts';
import type { Spread } from './lib/statistics.ts';

/** What is promised of the speed, and what a run found. Issue 5 is where the numbers come from. */
interface FigureKind {
  readonly label: string;
  readonly reach: number;
  readonly aim: number;
  readonly unit: 'ratio' | 'share' | 'ms' | 'MiB' | '% of a core';
  readonly lowerIsBetter: boolean;
}

const higher = { unit: 'ratio', lowerIsBetter: false } as const;

export const figureKinds = {
  'set-vs-etcd': { label: "consistent set, 256 in flight, against etcd's better figure", reach: 6, aim: 10, ...higher },
  'set-vs-nats-always': {
    label: 'consistent set, 256 in flight, against NATS KV with 3 replicas, both syncing',
    reach: 3,
    aim: 10,
    ...higher,
  },
  'set-vs-nats-default': { label: 'the same against NATS KV in its default, not syncing', reach: 2, aim: 3, ...higher },
  'get-vs-etcd': {
    label: 'consistent get, 256 in flight, against etcd linearizable get through its Node client',
    reach: 8,
    aim: 20,
    ...higher,
  },
  'weak-set-vs-redis-always': {
    label: 'quorum-less set, 256 in flight, against one Redis with `appendfsync always` through ioredis',
    reach: 0.8,
    aim: 1.2,
    ...higher,
  },
  'local-get-vs-redis': {
    label: 'local get, 256 in flight, against Redis GET through ioredis',
    reach: 1,
    aim: 1.5,
    ...higher,
  },
  'single-set-latency-vs-etcd': {
    label: "one client, one call at a time: consistent set median latency against etcd's",
    reach: 0.6,
    aim: 0.35,
    unit: 'ratio',
    lowerIsBetter: true,
  },
  'ramp-success': {
    label: 'ramp on five nodes: share of 10,000/s that succeeds',
    reach: 1,
    aim: 1,
    unit: 'share',
    lowerIsBetter: false,
  },
  'ramp-p99': {
    label: 'ramp on five nodes: p99 at 10,000/s',
    reach: 50,
    aim: 20,
    unit: 'ms',
    lowerIsBetter: true,
  },
  'set-with-size': {
    label: 'cost with size: set throughput at 1,000,000 keys against 10,000 keys',
    reach: 0.8,
    aim: 0.95,
    ...higher,
  },
  heap: {
    label: 'resident heap of a node with 1,000,000 keys of 256 B, memory map aside',
    reach: 200,
    aim: 100,
    unit: 'MiB',
    lowerIsBetter: true,
  },
  idle: { label: 'idle node of a settled cluster', reach: 2, aim: 0.5, unit: '% of a core', lowerIsBetter: true },
} as const satisfies Readonly<Record<string, FigureKind>>;

export type FigureId = keyof typeof figureKinds;

/** What a run found. `spread`: over its rounds; `note`: what a reader must know, above all why there is no value. */
export interface Finding {
  readonly value: number | null;
  readonly spread?: Spread;
  readonly note?: string;
}

export type Findings = Partial<Record<FigureId, Finding>>;

/** A line of `-o json`. */
export interface Figure extends FigureKind {
  readonly id: FigureId;
  /** null: not measured; `note` says why. */
  readonly value: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly verdict: Verdict;
  readonly note: string;
}

export type Verdict = 'aim' | 'reach' | 'missed' | 'not measured';

/** All figures in the order of the issue, those that were not found too. */
export function figuresOf(findings: Findings): Figure[] {
  return (Object.keys(figureKinds) as FigureId[]).map((id) => {
    const kind: FigureKind = figureKinds[id];
    const { value, spread, note = '' } = findings[id] ?? { value: null, note: 'not asked for' };
    return {
      id,
      ...kind,
      value,
      min: spread?.min ?? null,
      max: spread?.max ?? null,
      verdict: verdictOf(kind, value),
      note,
    };
  });
}

function verdictOf({ reach, aim, lowerIsBetter }: FigureKind, value: number | null): Verdict {
  if (value === null) return 'not measured';
  const meets = (bound: number): boolean => (lowerIsBetter ? value <= bound : value >= bound);
  if (meets(aim)) return 'aim';
  return meets(reach) ? 'reach' : 'missed';
}

export type FigureColumn = 'reach' | 'aim' | 'today' | 'verdict' | 'note';

/** Markdown. */
export function figureTable(
  figures: readonly Figure[],
  columns: readonly FigureColumn[] = ['reach', 'aim', 'today', 'verdict', 'note'],
): string {
  const rows = figures.map((figure) => {
    const { label, value, min, max, verdict, note } = figure;
    const range = min === null || max === null ? '' : ` (${shown(figure, min)} to ${shown(figure, max)})`;
    const cells: Readonly<Record<FigureColumn, string>> = {
      reach: bound(figure, figure.reach),
      aim: bound(figure, figure.aim),
      today: value === null ? '–' : `${shown(figure, value)}${range}`,
      verdict,
      note,
    };
    return [label, ...columns.map((column) => cells[column])];
  });
  return textTable(['figure', ...columns], rows);
}

function bound(figure: FigureKind, value: number): string {
  const mark = value === 1 && figure.unit === 'share' ? '' : figure.lowerIsBetter ? '≤ ' : '≥ ';
  return mark + shown(figure, value);
}

function shown({ unit }: FigureKind, value: number): string {
  switch (unit) {
    case 'ratio':
      return `${Number(value.toFixed(2))} ×`;
    case 'share':
      return `${(Math.floor(value * 10_000) / 100).toFixed(value === 1 ? 0 : 2)} %`;
    case 'ms':
      return `${Number(value.toFixed(1))} ms`;
    case 'MiB':
      return `${Math.round(value)} MiB`;
    case '% of a core':
      return `${Number(value.toFixed(2))} %`;
  }
}
