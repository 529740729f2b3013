import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, renameSync, statSync } from 'node:fs';

/** `stopped`: not started, or ended on request. `crashed`: ended by itself. */
export type NodeState = 'running' | 'paused' | 'stopped' | 'crashed';

export interface NodeExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Somebody asked for it. */
  readonly expected: boolean;
}

export interface NodeProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly onExit: (exit: NodeExit) => void;
}

/** A log that grew beyond this is put aside as `.1` at the next start. */
const logBytesMax = 16 * 1_024 * 1_024;

/**
 * One node of the dev cluster as a process of its own, with its output in a file. Between the two runs an IPC channel
 * without messages: the child stops when it closes, so that no node outlives its supervisor, however that ended.
 */
export class NodeProcess {
  readonly name: string;
  readonly #options: NodeProcessOptions;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  /** Its end was asked for, so it is not a crash. */
  #stopping = false;
  #paused = false;
  #state: NodeState = 'stopped';

  constructor(options: NodeProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** null while there is no process. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** `extraArgs` are for this run only. */
  start(extraArgs: readonly string[] = []): void {
    if (this.#child !== null) return;
    const log = openLog(this.#options.logFile);
    const child = spawn(this.#options.command, [...this.#options.args, ...extraArgs], {
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    this.#child = child;
    this.#stopping = false;
    this.#paused = false;
    this.#state = 'running';
    this.#ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        if (this.#child !== child) return;
        this.#child = null;
        this.#state = this.#stopping ? 'stopped' : 'crashed';
        this.#options.onExit({ code, signal, expected: this.#stopping });
        resolve();
      };
      child.once('exit', end);
      // It could not be started at all; there will be no exit event.
      child.once('error', () => {
        if (child.pid === undefined) end(null, null);
      });
    });
  }

  /** Ends the process at once (SIGKILL); resolves when it is gone. */
  async kill(): Promise<void> {
    this.#stopping = true;
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** Asks the process to end (SIGTERM) and ends it by force if it has not after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === null) return;
    // A stopped process would see the SIGTERM only after it was continued.
    if (this.#paused) child.kill('SIGCONT');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** False if there is no process to pause. */
  pause(): boolean {
    if (this.#child === null) return false;
    this.#child.kill('SIGSTOP');
    this.#paused = true;
    this.#state = 'paused';
    return true;
  }

  resume(): boolean {
    if (this.#child === null) return false;
    this.#child.kill('SIGCONT');
    this.#paused = false;
    this.#state = 'running';
    return true;
  }
}

function openLog(file: string): number {
  try {
    if (statSync(file).size > logBytesMax) renameSync(file, `${file}.1`);
  } catch {
    // There is none yet.
  }
  return openSync(file, 'a');
}
