import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const periodUs = 100_000;
const made = new Set<string>();
process.on('exit', () => {
  for (const group of made) tryTo(() => rmdirSync(group));
});

/** A control group of the processor for one node; null where this machine or this user has none. */
export class CpuLimit {
  readonly #group: string;
  readonly #isUnified: boolean;

  private constructor(group: string, isUnified: boolean) {
    this.#group = group;
    this.#isUnified = isUnified;
  }

  static create(name: string): CpuLimit | null {
    const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers');
    const group = join(isUnified ? '/sys/fs/cgroup' : '/sys/fs/cgroup/cpu', `skerry-${process.pid}-${name}`);
    return tryTo(() => {
      if (isUnified) writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+cpu');
      mkdirSync(group);
      made.add(group);
      return new CpuLimit(group, isUnified);
    });
  }

  /** Starts a process in it. */
  get runner(): readonly string[] {
    return ['sh', '-c', `echo $$ > ${join(this.#group, 'cgroup.procs')} && exec "$@"`, 'sh'];
  }

  /** All threads of its processes together get `percent` of one processor. */
  hold(percent: number): void {
    const quotaUs = Math.round((periodUs * percent) / 100);
    if (this.#isUnified) writeFileSync(join(this.#group, 'cpu.max'), `${quotaUs} ${periodUs}`);
    else {
      writeFileSync(join(this.#group, 'cpu.cfs_period_us'), String(periodUs));
      writeFileSync(join(this.#group, 'cpu.cfs_quota_us'), String(quotaUs));
    }
  }

  /** As fast as it can again. */
  release(): void {
    if (this.#isUnified) writeFileSync(join(this.#group, 'cpu.max'), `max ${periodUs}`);
    else writeFileSync(join(this.#group, 'cpu.cfs_quota_us'), '-1');
  }
}

function tryTo<T>(act: () => T): T | null {
  try {
    return act();
  } catch {
    return null;
  }
}
