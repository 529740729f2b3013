import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CliError, exitCode } from '../exit-code.ts';
import { adminUrl, type DevNode, type DevRegion } from './layout.ts';

export interface ReadinessOptions {
  readonly isRunning: (node: DevNode) => boolean;
  /** The node answers consistent calls and has a link to every other region. */
  readonly isReady: (node: DevNode) => Promise<boolean>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Called at every look; throws when waiting has become useless. */
  readonly check?: () => void;
}

const pollIntervalMs = 50;

/**
 * Resolves when every region has a leader, every node that runs knows it, and all its links are up. Fails when too few
 * nodes of a region run, with the end of a log that says why, or when it takes too long.
 */
export async function waitUntilReady(regions: readonly DevRegion[], options: ReadinessOptions): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  const waiting = new Set(regions.flatMap((region) => region.nodes));
  for (;;) {
    options.signal.throwIfAborted();
    await Promise.all(
      [...waiting].map(async (node) => {
        if (!options.isRunning(node) || (await options.isReady(node))) waiting.delete(node);
      }),
    );
    for (const region of regions) requireMajority(region, options.isRunning);
    options.check?.();
    if (waiting.size === 0) return;
    if (performance.now() > deadline) {
      const names = [...waiting].map((node) => node.name).join(', ');
      throw new CliError(`not ready after ${options.timeoutMs} ms: ${names}; their logs may say why`, exitCode.timeout);
    }
    await delay(pollIntervalMs, undefined, { signal: options.signal });
  }
}

function requireMajority(region: DevRegion, isRunning: (node: DevNode) => boolean): void {
  const ended = region.nodes.filter((node) => !isRunning(node));
  const [first] = ended;
  if (first === undefined || ended.length * 2 < region.nodes.length) return;
  throw new CliError(
    `${region.name} cannot have a leader: ${ended.map((node) => node.name).join(', ')} ended at the start.\n` +
      `The end of ${first.logFile}:\n${logTail(first.logFile)}`,
  );
}

const tailLinesMax = 5;

export function logTail(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-tailLinesMax).join('\n');
  } catch {
    return '(there is none)';
  }
}

/** Asks the node itself; `linkCount` is the number of other regions. */
export async function isReadyByStatus(node: DevNode, linkCount: number): Promise<boolean> {
  try {
    const response = await fetch(`${adminUrl(node)}/status`, { signal: AbortSignal.timeout(2_000) });
    const { partitions, links } = (await response.json()) as NodeAnswer;
    const isLed = partitions.length > 0 && partitions.every(({ leader, quorum }) => leader !== null && quorum);
    return isLed && links.filter(({ up }) => up).length >= linkCount;
  } catch {
    return false;
  }
}

/** What is read of a node's `/status`. */
interface NodeAnswer {
  readonly partitions: readonly { readonly leader: string | null; readonly quorum: boolean }[];
  readonly links: readonly { readonly up: boolean }[];
}
