import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every way to make something durable waits while the file named by HANG_FILE exists; or once, for as many milliseconds as it says. */
const source = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static void wait_while_hanging(void) {
  const char *path = getenv("HANG_FILE");
  char text[16] = {0};
  int file = path ? open(path, O_RDONLY) : -1;
  if (file < 0) return;
  if (read(file, text, sizeof text - 1) > 0) usleep(1000 * atoi(text));
  else while (access(path, F_OK) == 0) usleep(2000);
  close(file);
}
int fdatasync(int fd) { wait_while_hanging(); return (int)syscall(SYS_fdatasync, fd); }
int fsync(int fd) { wait_while_hanging(); return (int)syscall(SYS_fsync, fd); }
int msync(void *at, size_t size, int flags) { wait_while_hanging(); return (int)syscall(SYS_msync, at, size, flags); }
`;

/** Disks of nodes that hang or are slow when told to, by a library that their processes load. */
export class HangingDisks {
  readonly #folder: string;

  /** null: there is no C compiler. */
  static build(folder: string): HangingDisks | null {
    if (spawnSync('which', ['cc']).status !== 0) return null;
    writeFileSync(join(folder, 'hang.c'), source);
    execFileSync('cc', ['-shared', '-fPIC', '-o', join(folder, 'hang.so'), join(folder, 'hang.c')]);
    return new HangingDisks(folder);
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  env(node: string): Record<string, string> {
    return { LD_PRELOAD: join(this.#folder, 'hang.so'), HANG_FILE: this.#file(node) };
  }

  hang(node: string): void {
    writeFileSync(this.#file(node), '');
  }

  /** Each sync takes this much longer. */
  slow(node: string, ms: number): void {
    writeFileSync(this.#file(node), String(ms));
  }

  heal(node: string): void {
    rmSync(this.#file(node), { force: true });
  }

  #file(node: string): string {
    return join(this.#folder, `${node}.hang`);
  }
}
