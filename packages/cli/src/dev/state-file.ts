import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeState } from './node-process.ts';

/** What a running dev cluster tells other terminals, in `<data>/dev.json`, readable by its owner only. */
export interface DevState {
  readonly format: 1;
  /** Of the supervisor. */
  readonly pid: number;
  /** Where the supervisor takes orders, and the secret that they must carry. */
  readonly control: { readonly url: string; readonly token: string };
  readonly regions: readonly {
    readonly name: string;
    readonly nodes: readonly DevNodeState[];
  }[];
  /** The NATS server that carries changes between regions; absent where there is none. */
  readonly nats?: {
    readonly url: string;
    readonly pid: number | null;
    readonly storeDir: string;
    readonly log: string;
  };
}

export interface DevNodeState {
  readonly name: string;
  readonly client: string;
  readonly admin: string;
  readonly state: NodeState;
  readonly pid: number | null;
  readonly log: string;
}

function stateFile(dataDir: string): string {
  return join(dataDir, 'dev.json');
}

export function writeDevState(dataDir: string, state: DevState): void {
  mkdirSync(dataDir, { recursive: true });
  const file = stateFile(dataDir);
  writeFileSync(`${file}.tmp`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
}

export function removeDevState(dataDir: string): void {
  rmSync(stateFile(dataDir), { force: true });
}

/** What stands in the file, whether its cluster still runs or not; null if there is none. */
export function readDevState(dataDir: string): DevState | null {
  try {
    const state = JSON.parse(readFileSync(stateFile(dataDir), 'utf8')) as DevState;
    return state.format === 1 ? state : null;
  } catch {
    return null;
  }
}

/** The same, if the supervisor that wrote it is alive. */
export function readRunningDevState(dataDir: string): DevState | null {
  const state = readDevState(dataDir);
  return state !== null && isAlive(state.pid) ? state : null;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
