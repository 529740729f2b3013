import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The command line, as it is built. */
export const entry: string = fileURLToPath(new URL('../../../packages/cli/bin/skerry.mjs', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A dev cluster as a process, one region of three unless told otherwise, and commands run against it as processes. */
export class DevProcess {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'skerry-dev-'));
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  #out = '';
  #err = '';

  constructor(basePort: number, flags: readonly string[] = ['--regions', '1', '--nodes', '3']) {
    const args = [entry, 'dev', ...flags, '--base-port', String(basePort), '--data', this.folder, '-o', 'json'];
    this.process = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process.stdout?.on('data', (data: Buffer) => (this.#out += data.toString()));
    this.process.stderr?.on('data', (data: Buffer) => (this.#err += data.toString()));
    this.ended = once(this.process, 'exit').then(([code]) => code as number | null);
  }

  get out(): string {
    return this.#out;
  }

  get err(): string {
    return this.#err;
  }

  /** Rejects with what the process said if it ends instead. */
  async ready(): Promise<void> {
    const line = new Promise<void>((resolve) => {
      this.process.stdout?.on('data', () => {
        if (this.#out.includes('\n')) resolve();
      });
    });
    const end = this.ended.then((code) => {
      throw new Error(`skerry dev ended with ${code}: ${this.#err}`);
    });
    await Promise.race([line, end]);
  }

  /** Runs one command line against this cluster. */
  async skerry(...args: readonly string[]): Promise<CommandResult> {
    const child = spawn(process.execPath, [entry, ...args], {
      env: { ...process.env, SKERRY_DATA: this.folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
  }

  nodes(): { name: string; state: string; pid: number | null; client: string }[] {
    const state = JSON.parse(readFileSync(join(this.folder, 'dev.json'), 'utf8')) as {
      regions: { nodes: ReturnType<DevProcess['nodes']> }[];
    };
    return state.regions.flatMap((region) => region.nodes);
  }

  pids(): number[] {
    return this.nodes().flatMap(({ pid }) => pid ?? []);
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGTERM');
    await this.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
