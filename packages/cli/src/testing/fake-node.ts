import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Node programs that stand in for `skerry server`; each runs until told to stop, except where its name says so. */
export const fakePrograms = {
  /** Stops when asked and when its supervisor goes. */
  obedient:
    "process.on('disconnect', () => process.exit(0)); process.on('SIGTERM', () => process.exit(0)); console.log('up');",
  /** Has to be killed. */
  stubborn:
    "process.on('disconnect', () => {}); process.on('SIGTERM', () => console.log('no')); setInterval(() => {}, 1e6); console.log('up');",
  /** Ends by itself at once, saying why. */
  broken: "console.error('no such luck'); process.exit(65);",
} as const;

export function fakeCommand(program: string): { command: string; args: string[] } {
  return { command: process.execPath, args: ['-e', program] };
}

/** A fresh folder for one test, removed when it ends. */
export function temporaryFolder(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'skerry-cli-'));
  return {
    path,
    [Symbol.dispose]: () => {
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Resolves when `condition` holds; the test's own time limit is the bound. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
