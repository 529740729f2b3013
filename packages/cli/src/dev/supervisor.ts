import { CliError, exitCode } from '../exit-code.ts';
import type { DevNode } from './layout.ts';
import { NodeProcess, type NodeExit, type NodeState } from './node-process.ts';

/**
 * What can be done to nodes of a dev cluster. `kill` is SIGKILL; `restart` also starts what was killed or crashed;
 * `rebuild` is a restart that sets the data aside and fetches all from the peers.
 */
export const nodeActions = ['kill', 'restart', 'rebuild', 'pause', 'resume'] as const;
export type NodeAction = (typeof nodeActions)[number];

export interface SupervisorOptions {
  /** The program that runs a node and its arguments. */
  readonly launch: (node: DevNode) => { readonly command: string; readonly args: readonly string[] };
  /** A node ended that nobody asked to. It is not started again: a crash must be seen. */
  readonly onCrash: (node: DevNode, exit: NodeExit) => void;
  /** The state of some node changed. */
  readonly onChange: () => void;
  /** How long a node may take to stop before it is killed. */
  readonly stopGraceMs: number;
}

/** Runs the processes of a dev cluster and does to them what is asked. */
export class Supervisor {
  readonly #processes = new Map<string, NodeProcess>();
  readonly #options: SupervisorOptions;

  constructor(nodes: readonly DevNode[], options: SupervisorOptions) {
    this.#options = options;
    for (const node of nodes) {
      const onExit = (exit: NodeExit): void => {
        if (!exit.expected) options.onCrash(node, exit);
        options.onChange();
      };
      this.#processes.set(
        node.name,
        new NodeProcess({ name: node.name, ...options.launch(node), logFile: node.logFile, onExit }),
      );
    }
  }

  startAll(): void {
    for (const node of this.#processes.values()) node.start();
    this.#options.onChange();
  }

  /** Stops all nodes at once; resolves when no process is left. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((node) => node.stop(this.#options.stopGraceMs)));
  }

  state(name: string): { readonly state: NodeState; readonly pid: number | null } {
    const node = this.#find(name);
    return { state: node.state, pid: node.pid };
  }

  /** Resolves when it is done, for `restart` when the new process was started. Throws {@link CliError} if it cannot be. */
  async act(action: NodeAction, name: string): Promise<void> {
    const node = this.#find(name);
    switch (action) {
      case 'kill':
        requireProcess(node);
        await node.kill();
        break;
      case 'restart':
      case 'rebuild':
        await node.stop(this.#options.stopGraceMs);
        node.start(action === 'rebuild' ? ['--rebuild'] : []);
        break;
      case 'pause':
        requireProcess(node);
        node.pause();
        break;
      case 'resume':
        requireProcess(node);
        node.resume();
        break;
    }
    this.#options.onChange();
  }

  #find(name: string): NodeProcess {
    const node = this.#processes.get(name);
    if (node === undefined) {
      throw new CliError(
        `there is no node ${name}; there are ${[...this.#processes.keys()].join(', ')}`,
        exitCode.refused,
      );
    }
    return node;
  }
}

function requireProcess(node: NodeProcess): void {
  if (node.pid === null) throw new CliError(`${node.name} is not running`, exitCode.refused);
}
