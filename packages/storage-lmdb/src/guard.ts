import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { StorageCorruptError, StorageFailedError } from '@skerry/replica';
import { dataFileName } from './environment.ts';
import { decodeKey, encodeKey } from './record.ts';

/** How a folder is checked before it is opened. All pages that lead to records are checked in any case. */
export interface VerifyOptions {
  /** Records are checked until this is used up, in key order. Default 600 ms. 0: only the critical ones. */
  readonly budgetMs?: number;
  /** Records whose key starts with one of these are checked however long it takes. Default: none. */
  readonly criticalPrefixes?: readonly string[];
}

export interface VerifyReport {
  readonly recordsChecked: number;
  /** True: all records were checked. */
  readonly complete: boolean;
  /** Key at or below the first record that was left unchecked; '' if none was. */
  readonly unreadFrom: string;
  readonly durationMs: number;
}

const defaultBudgetMs = 600;
/** Longer than this, on top of the budget, and the disk is taken to hang. */
const patienceMs = 60_000;
const startAttemptsMax = 10;
const startRetryMs = 50;
/** Beside `src` and `dist` alike. */
const guardPath = fileURLToPath(new URL('../guard/guard.mjs', import.meta.url));

type Answer =
  | {
      readonly kind: 'sound';
      readonly recordsChecked: number;
      readonly complete: boolean;
      readonly unreadFrom: string | null;
    }
  | { readonly kind: 'damaged'; readonly message: string; readonly where: string }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * Checks a folder in a child process, since LMDB answers some damage with SIGBUS, which nothing can catch. Throws
 * `StorageCorruptError` if the data is damaged or the child died of it. A folder without data needs no child.
 */
export async function verifyFolder(folder: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const path = join(folder, dataFileName);
  if (!existsSync(path) || statSync(path).size === 0)
    return { recordsChecked: 0, complete: true, unreadFrom: '', durationMs: 0 };
  const startedMs = performance.now();
  const budgetMs = options.budgetMs ?? defaultBudgetMs;
  const critical = (options.criticalPrefixes ?? []).map((prefix) => encodeKey(prefix).toString('base64'));
  const child = await startGuard(path);
  const answer = await ask(child, { path, budgetMs, critical });
  switch (answer.kind) {
    case 'sound': {
      const unreadFrom = answer.unreadFrom === null ? '' : decodeKey(Buffer.from(answer.unreadFrom, 'base64'));
      return {
        recordsChecked: answer.recordsChecked,
        complete: answer.complete,
        unreadFrom,
        durationMs: performance.now() - startedMs,
      };
    }
    case 'damaged':
      throw new StorageCorruptError(`${path}: ${answer.message}`, `${dataFileName}, ${answer.where}`);
    case 'failed':
      throw new StorageCorruptError(`${path} cannot be opened: ${answer.message}`, dataFileName);
  }
}

/** Starting a process fails in passing when the system is short of something, or (EBUSY) loses a race over a descriptor. */
async function startGuard(path: string): Promise<ChildProcess> {
  for (let attempt = 1; ; attempt++) {
    try {
      return fork(guardPath, [], { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    } catch (error) {
      if (attempt === startAttemptsMax) throw cannotStart(path, error);
      await sleep(startRetryMs);
    }
  }
}

function cannotStart(path: string, cause: unknown): StorageFailedError {
  return new StorageFailedError(`the check of ${path} could not be started`, { cause });
}

function ask(
  child: ChildProcess,
  request: { readonly path: string; readonly budgetMs: number; readonly critical: readonly string[] },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let output = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new StorageFailedError(`the check of ${request.path} did not end in time`));
    }, request.budgetMs + patienceMs);
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(cannotStart(request.path, error));
    });
    child.once('message', (answer) => {
      clearTimeout(timer);
      resolve(answer as Answer);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      // Has no effect after an answer.
      const how = signal === null ? `ended with ${code}` : `was killed by ${signal}`;
      reject(new StorageCorruptError(`a process that opened ${request.path} ${how} ${output}`.trim(), dataFileName));
    });
    child.send(request, () => {
      // A child that is gone already reports itself by its end.
    });
  });
}
