import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';

const root = fileURLToPath(new URL('../../..', import.meta.url));
export const childPath: string = fileURLToPath(new URL('./child.mjs', import.meta.url));

/** Brings the build that the children run up to date; what other packages have wrong does not matter here. */
export function buildStorage(): void {
  spawnSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'packages/storage-lmdb'], { cwd: root, stdio: 'ignore' });
  if (!existsSync(join(root, 'packages/storage-lmdb/dist/index.js')))
    throw new Error('packages/storage-lmdb is not built');
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'skerry-storage-'));
}

export function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

export function hasCommand(name: string): boolean {
  return spawnSync('which', [name]).status === 0;
}

/** Mounts a tmpfs of its own on a new folder; null where this user may not. */
export function mountTmpfs(bytes: number): { readonly folder: string; unmount(): void } | null {
  const folder = temporaryFolder();
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]).status !== 0) {
    remove(folder);
    return null;
  }
  return {
    folder,
    unmount: () => {
      execFileSync('umount', [folder]);
      remove(folder);
    },
  };
}

/** A child whose printed lines are kept, and its end. */
export class Child {
  readonly lines: string[] = [];
  readonly process: ChildProcess;
  readonly #ended: Promise<void>;
  #changed: () => void = () => {};

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, ...env } });
    if (this.process.stdout === null) throw new Error('the child has no output');
    const reader = createInterface(this.process.stdout);
    reader.on('line', (line) => {
      this.lines.push(line);
      this.#changed();
    });
    const exited = new Promise<void>((resolve) => this.process.once('exit', () => resolve()));
    const read = new Promise<void>((resolve) => reader.once('close', resolve));
    this.#ended = Promise.all([exited, read]).then(() => {});
    void this.#ended.then(() => this.#changed());
  }

  /** Resolves when `condition` holds, or when the child has ended. */
  async until(condition: () => boolean): Promise<void> {
    let ended = false;
    void this.#ended.then(() => (ended = true));
    while (!condition() && !ended)
      await Promise.race([this.#ended, new Promise<void>((resolve) => (this.#changed = resolve))]);
  }

  end(): Promise<void> {
    return this.#ended;
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#ended;
  }
}

/** An ext4 file system in a file, whose power can be cut: what was not synced by then is gone. */
export class Ext4Disk {
  readonly folder: string;
  readonly #image: string;
  #mounted = false;

  /** Null where this user may not mount one. */
  static create(bytes: number): Ext4Disk | null {
    const disk = new Ext4Disk();
    writeFileSync(disk.#image, '');
    truncateSync(disk.#image, bytes);
    if (spawnSync('mkfs.ext4', ['-q', '-F', disk.#image]).status === 0 && disk.#tryMount()) {
      disk.unmount();
      return disk;
    }
    disk.remove();
    return null;
  }

  private constructor() {
    this.folder = temporaryFolder();
    this.#image = `${this.folder}.img`;
  }

  mount(): void {
    if (!this.#tryMount()) throw new Error('cannot mount the disk');
  }

  cutPower(): void {
    execFileSync('xfs_io', ['-x', '-c', 'shutdown', this.folder]);
  }

  unmount(): void {
    execFileSync('umount', [this.folder]);
    this.#mounted = false;
  }

  remove(): void {
    if (this.#mounted) this.unmount();
    remove(this.folder);
    remove(this.#image);
  }

  #tryMount(): boolean {
    this.#mounted = spawnSync('mount', ['-o', 'loop', this.#image, this.folder]).status === 0;
    return this.#mounted;
  }
}
