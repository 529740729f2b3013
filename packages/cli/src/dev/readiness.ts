import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CliError, exitCode } from '../exit-code.ts';
import { adminUrl, type DevNode, type DevRegion } from './layout.ts';

export interface ReadinessOptions {
  readonly isRunning: (node: DevNode) => boolean;
  /** The node answers consistent calls. */
  readonly isReady: (node: DevNode) => Promise<boolean>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const pollIntervalMs = 50;

/**
 * Resolves when every region has a leader and every node that runs knows it. Fails when too few nodes of a region run,
 * with the end of a log that says why, or when it takes too long.
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

function logTail(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-tailLinesMax).join('\n');
  } catch {
    return '(there is none)';
  }
}

/** Asks the node's own health answer. */
export async function isReadyByHealth(node: DevNode): Promise<boolean> {
  try {
    const response = await fetch(`${adminUrl(node)}/readyz?mode=consistent`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
