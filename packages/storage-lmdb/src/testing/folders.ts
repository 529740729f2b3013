import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { StorageCorruptError, StorageEvents } from '@skerry/replica';

const made: string[] = [];

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-storage-'));
  made.push(folder);
  return folder;
}

afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Events that a test looks at afterwards. */
export class RecordedEvents implements StorageEvents {
  readonly full: boolean[] = [];
  readonly corrupt: StorageCorruptError[] = [];
  onFull(full: boolean): void {
    this.full.push(full);
  }
  onCorrupt(problem: StorageCorruptError): void {
    this.corrupt.push(problem);
  }
}
