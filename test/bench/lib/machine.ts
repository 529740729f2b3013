import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { repositoryRoot } from './programs.ts';

/** What a result needs to be judged by. */
export interface Circumstances {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly commit: string;
  /** Files differ from that commit. */
  readonly changed: boolean;
  readonly command: string;
  readonly startedAt: string;
  /** Processes that wanted to run in the minute before it began; well above 0: others were using the machine. */
  readonly loadBefore: number;
}

export function circumstances(args: readonly string[]): Circumstances {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.versions.node,
    commit: git('rev-parse', '--short=10', 'HEAD'),
    changed: git('status', '--porcelain') !== '',
    command: ['npm run bench --', ...args].join(' '),
    startedAt: new Date().toISOString(),
    loadBefore: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

function git(...args: readonly string[]): string {
  try {
    return execFileSync('git', args, {
      cwd: repositoryRoot,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

/** Processes that want to run besides ours: above this, figures are hints. */
const loadMax = 0.7;

export function isBusy({ loadBefore }: Pick<Circumstances, 'loadBefore'>): boolean {
  return loadBefore > loadMax;
}
