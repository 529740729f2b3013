import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { until } from '../../faults/lib/until.ts';

/** Ended with this process, however that ends. */
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** A server of another system as a child process, its output in a file. */
export class ServerProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #logFile: string;

  constructor(name: string, program: string, args: readonly string[], logFile: string) {
    this.name = name;
    this.#logFile = logFile;
    const log = openSync(logFile, 'a');
    this.#child = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    alive.add(this.#child);
    this.#child.once('exit', () => alive.delete(this.#child));
    this.#child.once('error', () => alive.delete(this.#child));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Waits until `isUp` says so; fails with the end of the log when the process ends before. */
  async up(isUp: () => Promise<boolean>): Promise<void> {
    await until(
      `${this.name} to be up`,
      () => {
        if (this.hasEnded) {
          const log = readFileSync(this.#logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
          throw new Error(`${this.name} ended by itself:\n${log}`);
        }
        return isUp();
      },
      60_000,
    );
  }

  /** At once: nothing that a peer keeps is wanted after a run. */
  async stop(): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
