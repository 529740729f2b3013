import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { CliError } from '../exit-code.ts';
import { natsPort, type DevOptions } from './layout.ts';
import { NodeProcess } from './node-process.ts';
import { logTail } from './readiness.ts';
import type { DevState } from './state-file.ts';

const program = 'nats-server';

/** Debian puts it where not every user's PATH leads. */
const foldersBesidePath = ['/usr/sbin', '/usr/local/sbin'];

/**
 * Where `nats-server` is: what SKERRY_NATS_SERVER names, else on PATH, else where systems put it. Throws
 * {@link CliError} where it is not.
 */
export function findNatsServer(
  env: Readonly<Record<string, string | undefined>>,
  besidePath: readonly string[] = foldersBesidePath,
): string {
  const named = env['SKERRY_NATS_SERVER'];
  const folders = [...(env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''), ...besidePath];
  const candidates = named === undefined ? folders.map((folder) => join(folder, program)) : [named];
  const found = candidates.find(isProgram);
  if (found !== undefined) return found;
  throw new CliError(
    named === undefined
      ? `--link nats needs ${program}, which is not on PATH: install it (Debian, Ubuntu: apt-get install ${program}; ` +
          'macOS: brew install nats-server) or use --link direct'
      : `SKERRY_NATS_SERVER names ${named}, which is no program`,
  );
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** One NATS server with JetStream, shared by all regions of a dev cluster. */
export class DevNats {
  readonly url: string;
  readonly port: number;
  readonly #storeDir: string;
  readonly #logFile: string;
  readonly #process: NodeProcess;

  constructor(options: DevOptions, command: string, onCrash: (text: string) => void) {
    this.port = natsPort(options);
    this.url = `nats://127.0.0.1:${this.port}`;
    const dataDir = resolve(options.dataDir);
    this.#storeDir = join(dataDir, 'nats');
    this.#logFile = join(dataDir, 'nats.log');
    this.#process = new NodeProcess({
      name: program,
      command,
      args: ['--addr', '127.0.0.1', '--port', String(this.port), '--jetstream', '--store_dir', this.#storeDir],
      logFile: this.#logFile,
      onExit: ({ expected }) => {
        if (!expected) onCrash(`${program} ended; its log is ${this.#logFile}\n`);
      },
    });
  }

  start(): void {
    mkdirSync(this.#storeDir, { recursive: true });
    this.#process.start();
  }

  stop(graceMs: number): Promise<void> {
    return this.#process.stop(graceMs);
  }

  /** Throws if it has ended by itself. */
  requireRunning(): void {
    if (this.#process.state !== 'crashed') return;
    throw new CliError(`${program} ended at the start.\nThe end of ${this.#logFile}:\n${logTail(this.#logFile)}`);
  }

  describe(): NonNullable<DevState['nats']> {
    return { url: this.url, pid: this.#process.pid, storeDir: this.#storeDir, log: this.#logFile };
  }
}
