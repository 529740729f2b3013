import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RegionNode } from './region-node.ts';

/** Numbers of errors. */
export const eio = 5;
export const enospc = 28;

const calls = {
  sync: ['posix/io/sync/fdatasync', 'posix/io/sync/fsync', 'posix/io/sync/msync'],
  /** Not `write`, by which logs and sockets are written. */
  write: ['posix/io/rw/pwrite', 'posix/io/rw/pwritev'],
  /** Not `read`, by which programs and sockets are read. */
  read: ['posix/io/rw/pread'],
} as const;

export type DiskCall = keyof typeof calls;

const libraries = ['/usr/lib/fiu', '/usr/local/lib/fiu', '/usr/lib64/fiu']
  .map((folder) => ['fiu_run_preload.so', 'fiu_posix_preload.so'].map((file) => join(folder, file)))
  .find((paths) => paths.every((path) => existsSync(path)));

export const hasFiu: boolean = libraries !== undefined && spawnSync('which', ['fiu-ctrl']).status === 0;

/** System calls of nodes that fail when told to, as `fiu-run` arranges it. */
export class FailingDisks {
  readonly #prefix: string;

  constructor(folder: string) {
    this.#prefix = join(folder, 'fiu');
  }

  env(): Record<string, string> {
    return { LD_PRELOAD: (libraries ?? []).join(' '), FIU_CTRL_FIFO: this.#prefix, FIU_ENABLE: '' };
  }

  /** For a process that meets the fault from its start. */
  envFrom(call: DiskCall, error: number): Record<string, string> {
    return { FIU_ENABLE: calls[call].map((name) => `enable name=${name},failinfo=${error}`).join('\n') };
  }

  fail(
    node: RegionNode,
    call: DiskCall,
    { error, once = false }: { readonly error: number; readonly once?: boolean },
  ): void {
    for (const name of calls[call]) this.#tell(node, `enable name=${name},failinfo=${error}${once ? ',onetime' : ''}`);
  }

  heal(node: RegionNode, call: DiskCall): void {
    for (const name of calls[call]) this.#tell(node, `disable name=${name}`);
  }

  #tell(node: RegionNode, command: string): void {
    const { pid } = node;
    if (pid === null) return;
    const { status, stderr } = spawnSync('fiu-ctrl', ['-f', this.#prefix, '-c', command, String(pid)], {
      encoding: 'utf8',
      timeout: 5_000,
    });
    // It may have died of the last one already.
    if (status !== 0 && node.pid === pid && node.isRunning && existsSync(`/proc/${pid}/exe`))
      process.stderr.write(`  fiu-ctrl: ${stderr}\n`);
  }
}
