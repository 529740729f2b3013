import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const mounted = new Set<string>();
process.on('exit', () => {
  for (const folder of mounted) spawnSync('umount', ['-l', folder]);
});

/** A file system of its own for one node, which a check may hurt; unmounted with this process at the latest. */
abstract class Disk {
  readonly folder: string;

  protected constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** False where this user may not. */
  protected tryMount(args: readonly string[]): boolean {
    const done = spawnSync('mount', [...args, this.folder]).status === 0;
    if (done) mounted.add(this.folder);
    return done;
  }

  /** No process may use it any more. */
  unmount(): void {
    if (!mounted.has(this.folder)) return;
    execFileSync('umount', [this.folder]);
    mounted.delete(this.folder);
  }
}

/** An ext4 file system in a file, whose power can be cut: what was not synced by then is gone. */
export class PowerDisk extends Disk {
  readonly #image: string;

  private constructor(folder: string, image: string) {
    super(folder);
    this.#image = image;
  }

  /** Null where this user may not mount one. */
  static create(folder: string, bytes: number): PowerDisk | null {
    const image = `${folder}.img`;
    const disk = new PowerDisk(folder, image);
    writeFileSync(image, '');
    truncateSync(image, bytes);
    const made = spawnSync('mkfs.ext4', ['-q', '-F', image]).status === 0;
    return made && disk.tryMount(['-o', 'loop', image]) ? disk : null;
  }

  mount(): void {
    if (!this.tryMount(['-o', 'loop', this.#image])) throw new Error(`cannot mount ${this.#image}`);
  }

  cutPower(): void {
    execFileSync('xfs_io', ['-x', '-c', 'shutdown', this.folder]);
  }
}

/** A file system in memory, small enough to be filled. */
export class SmallDisk extends Disk {
  static create(folder: string, bytes: number): SmallDisk | null {
    const disk = new SmallDisk(folder);
    return disk.tryMount(['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs']) ? disk : null;
  }

  private constructor(folder: string) {
    super(folder);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Somebody else's file takes all but this much. */
  fill(leaveBytes: number): void {
    this.clear();
    try {
      writeFileSync(this.#ballast, new Uint8Array(Math.max(0, this.freeBytes - leaveBytes)));
    } catch (error) {
      // The node wrote at the same time; then the disk is as full as can be.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  clear(): void {
    rmSync(this.#ballast, { force: true });
  }

  resize(bytes: number): void {
    execFileSync('mount', ['-o', `remount,size=${bytes}`, this.folder]);
  }

  get #ballast(): string {
    return join(this.folder, 'ballast');
  }
}

/** One disk for each of `count` nodes named as a `Region` names them, in a new folder; null where they cannot be had. */
export function disksFor<D extends PowerDisk | SmallDisk>(
  count: number,
  create: (folder: string) => D | null,
): {
  readonly home: string;
  readonly disks: readonly D[];
  readonly env: (node: string) => Record<string, string>;
} | null {
  const home = mkdtempSync(join(tmpdir(), 'skerry-faults-'));
  const disks: D[] = [];
  for (let index = 1; index <= count; index++) {
    const disk = create(join(home, `disk-n${index}`));
    if (disk === null) {
      for (const made of disks) made.unmount();
      rmSync(home, { recursive: true, force: true });
      return null;
    }
    disks.push(disk);
  }
  return { home, disks, env: (node) => ({ SKERRY_DATA_FOLDER: join(home, `disk-${node}`, 'node') }) };
}

export function missingPrograms(names: readonly string[]): string[] {
  return names.filter((name) => spawnSync('which', [name]).status !== 0);
}
