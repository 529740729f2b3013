import { Command } from 'commander';
import { onRun, type CliContext } from '../command.ts';
import { sendOrder } from '../dev/control.ts';
import { readDevState, readRunningDevState, type DevNodeState, type DevState } from '../dev/state-file.ts';
import { nodeActions, type NodeAction } from '../dev/supervisor.ts';
import { CliError, exitCode } from '../exit-code.ts';
import { dataDirOf } from '../settings.ts';

interface ChaosFlags {
  readonly data?: string;
}

const descriptions: Readonly<Record<NodeAction, string>> = {
  kill: 'end nodes at once (SIGKILL); they stay away until restarted',
  restart: 'stop nodes if they run and start them on the data they had',
  rebuild: 'restart nodes without their data (kept aside), which they fetch from their peers',
  pause: 'freeze nodes (SIGSTOP): their connections stay open and answer nothing',
  resume: 'let paused nodes go on (SIGCONT)',
};

export function chaosCommand(context: CliContext): Command {
  const chaos = new Command('chaos').description('hurt a running dev cluster, to see that it holds');
  chaos.addHelpText(
    'after',
    `
Examples:
  skerry chaos kill region-1-2 region-1-3
  skerry chaos cut region-1-1 region-1-2
  skerry chaos heal`,
  );
  for (const action of nodeActions) {
    const command = withData(new Command(action))
      .description(descriptions[action])
      .argument('<node...>', 'for example region-1-2');
    chaos.addCommand(
      onRun<ChaosFlags>(context, command, async (flags, names) => {
        const state = requireRunning(flags, context);
        for (const node of names) await sendOrder(state, { action, node });
        return exitCode.valid;
      }),
    );
  }
  const cut = withData(new Command('cut'))
    .description('cut the connection between two nodes, both ways')
    .argument('<node>')
    .argument('<other>');
  chaos.addCommand(
    onRun<ChaosFlags>(context, cut, async (flags, [a = '', b = '']) => {
      await setCut(requireRunning(flags, context), { pair: [a, b], cut: true });
      return exitCode.valid;
    }),
  );
  const heal = withData(new Command('heal'))
    .description('heal the connection between two nodes, or every cut when none are named')
    .argument('[node]')
    .argument('[other]');
  chaos.addCommand(
    onRun<ChaosFlags>(context, heal, async (flags, [a, b]) => {
      const state = requireRunning(flags, context);
      if (a !== undefined && b === undefined) throw new CliError('name two nodes, or none to heal every cut');
      if (a !== undefined && b !== undefined) await setCut(state, { pair: [a, b], cut: false });
      else await healAll(state);
      return exitCode.valid;
    }),
  );
  return chaos;
}

function withData(command: Command): Command {
  return command.option('--data <dir>', 'folder of the dev cluster (environment: SKERRY_DATA; default: .skerry)');
}

function requireRunning(flags: ChaosFlags, context: CliContext): DevState {
  const dataDir = dataDirOf(flags.data, context.terminal.env);
  const state = readRunningDevState(dataDir);
  if (state !== null) return state;
  const hint = readDevState(dataDir) === null ? 'start one with: skerry dev' : 'the one that was there has ended';
  throw new CliError(`no dev cluster runs on ${dataDir}; ${hint}`);
}

function findNode(state: DevState, name: string): DevNodeState {
  const node = state.regions.flatMap((region) => region.nodes).find((candidate) => candidate.name === name);
  if (node === undefined) throw new CliError(`there is no node ${name}`, exitCode.refused);
  return node;
}

/** Each side refuses the other; a side that is not running has no connection to cut. */
async function setCut(
  state: DevState,
  { pair: [a, b], cut }: { pair: readonly [string, string]; cut: boolean },
): Promise<void> {
  if (a === b) throw new CliError('a node cannot be cut off from itself');
  const nodes = [findNode(state, a), findNode(state, b)] as const;
  const orders = [
    { node: nodes[0], peer: b },
    { node: nodes[1], peer: a },
  ].filter(({ node }) => node.state === 'running');
  if (orders.length === 0) throw new CliError(`neither ${a} nor ${b} runs`, exitCode.refused);
  await Promise.all(orders.map(({ node, peer }) => postChaos(node, cut ? 'cut' : 'heal', { peers: [peer] })));
}

async function healAll(state: DevState): Promise<void> {
  const running = state.regions.flatMap((region) => region.nodes).filter((node) => node.state === 'running');
  await Promise.all(running.map((node) => postChaos(node, 'heal', {})));
}

const adminTimeoutMs = 5_000;

async function postChaos(node: DevNodeState, action: 'cut' | 'heal', body: object): Promise<void> {
  let response: Response;
  try {
    response = await fetch(`${node.admin}/chaos/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(adminTimeoutMs),
    });
  } catch (error) {
    throw new CliError(`${node.name} does not answer at ${node.admin}: ${String((error as Error).cause ?? error)}`);
  }
  if (!response.ok) throw new CliError(`${node.name} refused to ${action}: ${await response.text()}`, exitCode.refused);
}
