import { exitCodes, startServer, type RunningServer, type ServerConfig } from '@skerry/server';
import { visible } from '../output.ts';
import type { Terminal } from '../terminal.ts';
import { rebuildNode, setDataAside, type RebuildPeers } from './rebuild.ts';
import { stopSignal } from './stop-signal.ts';

export interface RunServerOptions {
  readonly terminal: Terminal;
  /** Set the data aside first and have the members replace this node by its next life; null: start on what is there. */
  readonly rebuild: RebuildPeers | null;
  /** The command line that would rebuild this node, for the operator to copy. */
  readonly rebuildHint: string;
}

/** How much longer than a planned stop may take until the process ends anyhow. */
const stopGraceMs = 2_000;

/** Runs a node until it is told to stop or cannot go on; resolves to the exit code of its process. */
export async function runServer(config: ServerConfig, options: RunServerOptions): Promise<number> {
  const { terminal } = options;
  const stop = stopSignal(terminal.interrupted);
  try {
    const effective = options.rebuild === null ? config : await prepareRebuild(config, options.rebuild, terminal);
    return await runUntilStopped(effective, { terminal, stop, rebuilding: options.rebuild !== null });
  } catch (error) {
    return reportStartFailure(error, config, options);
  }
}

async function prepareRebuild(config: ServerConfig, peers: RebuildPeers, terminal: Terminal): Promise<ServerConfig> {
  const aside = setDataAside(config.dataFolder);
  terminal.err(aside === null ? `${config.dataFolder} holds no data yet\n` : `set the data aside to ${aside}\n`);
  const { config: joining, replica } = await rebuildNode(config, peers, terminal.interrupted);
  terminal.err(`the members take ${config.node} as a new one, ${replica}; its data comes from them\n`);
  return joining;
}

interface Run {
  readonly terminal: Terminal;
  readonly stop: AbortSignal;
  readonly rebuilding: boolean;
}

function runUntilStopped(config: ServerConfig, { terminal, stop, rebuilding }: Run): Promise<number> {
  return new Promise((resolve, reject) => {
    startServer(config, {
      onFatal: (fatal) => {
        terminal.err(`${config.node}: ${fatal.message}\n`);
        resolve(fatal.exitCode);
      },
    }).then((server) => {
      if (rebuilding) reportCatchUp(server, terminal, stop);
      const end = (): void => {
        // A disk that hangs must not keep the process from ending.
        setTimeout(() => {
          resolve(exitCodes.storageFailed);
        }, config.stopMsMax + stopGraceMs).unref();
        server.stop().then(() => {
          resolve(0);
        }, reject);
      };
      if (stop.aborted) end();
      else stop.addEventListener('abort', end, { once: true });
    }, reject);
  });
}

const catchUpPollMs = 500;

/** Says how far the node has come until it has what its leaders had committed. */
function reportCatchUp(server: RunningServer, terminal: Terminal, stop: AbortSignal): void {
  const timer = setInterval(() => {
    const { partitions } = server.status();
    const applied = partitions.reduce((sum, partition) => sum + partition.applied, 0);
    const committed = partitions.reduce((sum, partition) => sum + partition.commit, 0);
    const done =
      partitions.length > 0 &&
      partitions.every(({ leader, applied: at, commit }) => leader !== null && at > 0 && at >= commit);
    if (terminal.errIsTty) terminal.err(`\rrebuilding: applied ${applied} of ${committed} entries`);
    if (!done && !stop.aborted) return;
    clearInterval(timer);
    if (done) terminal.err(`${terminal.errIsTty ? '\n' : ''}rebuilt: applied ${applied} entries\n`);
  }, catchUpPollMs);
  timer.unref();
}

function reportStartFailure(error: unknown, config: ServerConfig, { terminal, rebuildHint }: RunServerOptions): number {
  const { name, message, code, where } = error as Error & { code?: string; where?: string };
  const say = (text: string): void => {
    terminal.err(`skerry: ${config.node} cannot start: ${visible(text)}\n`);
  };
  if (name === 'StorageCorruptError' || code === 'IDENTITY_MISMATCH') {
    say(`its data in ${config.dataFolder} is corrupt${where === undefined ? '' : ` (${where})`}: ${message}`);
    terminal.err(`Nothing was changed. Rebuild it from its peers with:\n  ${rebuildHint}\n`);
    return exitCodes.storageCorrupt;
  }
  if (name === 'StorageFailedError') {
    say(`the disk failed: ${message}`);
    return exitCodes.storageFailed;
  }
  if (code === 'EADDRINUSE') {
    say(`${message}; another process listens there`);
    return 1;
  }
  say(message);
  return name === 'StorageOpenError' || code !== undefined ? 1 : exitCodes.invariant;
}
