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
  skerry chaos cut region-1 region-2
  skerry chaos heal
  skerry chaos stop-region region-1`,
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
    .description('cut the connection between two nodes of a region, or between two regions, both ways')
    .argument('<one>', 'for example region-1-1, or region-1')
    .argument('<other>');
  chaos.addCommand(
    onRun<ChaosFlags>(context, cut, async (flags, [a = '', b = '']) => {
      await setCut(requireRunning(flags, context), { pair: [a, b], cut: true });
      return exitCode.valid;
    }),
  );
  const heal = withData(new Command('heal'))
    .description('heal the connection between two nodes or two regions, or every cut when none are named')
    .argument('[one]')
    .argument('[other]');
  chaos.addCommand(
    onRun<ChaosFlags>(context, heal, async (flags, [a, b]) => {
      const state = requireRunning(flags, context);
      if (a !== undefined && b === undefined)
        throw new CliError('name two nodes or two regions, or none to heal every cut');
      if (a !== undefined && b !== undefined) await setCut(state, { pair: [a, b], cut: false });
      else await healAll(state);
      return exitCode.valid;
    }),
  );
  for (const { name, description, affects, action } of regionActions) {
    const command = withData(new Command(name)).description(description).argument('<region>', 'for example region-1');
    chaos.addCommand(
      onRun<ChaosFlags>(context, command, async (flags, [region = '']) => {
        const state = requireRunning(flags, context);
        const nodes = findRegion(state, region).filter(affects);
        await Promise.all(nodes.map((node) => sendOrder(state, { action, node: node.name })));
        return exitCode.valid;
      }),
    );
  }
  return chaos;
}

interface RegionAction {
  readonly name: string;
  readonly description: string;
  readonly affects: (node: DevNodeState) => boolean;
  readonly action: NodeAction;
}

const regionActions: readonly RegionAction[] = [
  {
    name: 'stop-region',
    description: 'end all nodes of a region at once (SIGKILL), as the loss of a datacenter does',
    affects: ({ pid }) => pid !== null,
    action: 'kill',
  },
  {
    name: 'start-region',
    description: 'start the nodes of a region that do not run, on the data they had',
    affects: ({ pid }) => pid === null,
    action: 'restart',
  },
];

function findRegion(state: DevState, name: string): readonly DevNodeState[] {
  const region = state.regions.find((candidate) => candidate.name === name);
  if (region !== undefined) return region.nodes;
  const names = state.regions.map((each) => each.name).join(', ');
  throw new CliError(`there is no region ${name}; there are ${names}`, exitCode.refused);
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

interface CutOrder {
  readonly pair: readonly [string, string];
  readonly cut: boolean;
}

/** Each side refuses the other; a side that is not running has no connection to cut. */
async function setCut(state: DevState, { pair: [a, b], cut }: CutOrder): Promise<void> {
  const [isRegion, isOther] = [a, b].map((name) => state.regions.some((region) => region.name === name));
  if (isRegion !== isOther) throw new CliError('name two nodes or two regions');
  if (a === b) throw new CliError(`a ${isRegion === true ? 'region' : 'node'} cannot be cut off from itself`);
  const sidesOf = isRegion === true ? regionSides : nodeSides;
  const orders = [...sidesOf(state, a, b), ...sidesOf(state, b, a)].filter(({ node }) => node.state === 'running');
  if (orders.length === 0) throw new CliError(`neither ${a} nor ${b} runs`, exitCode.refused);
  await Promise.all(orders.map(({ node, from }) => postChaos(node, cut ? 'cut' : 'heal', from)));
}

/** A node and whom it is to refuse. */
interface Side {
  readonly node: DevNodeState;
  readonly from: object;
}

function nodeSides(state: DevState, name: string, other: string): Side[] {
  return [{ node: findNode(state, name), from: { peers: [other] } }];
}

function regionSides(state: DevState, name: string, other: string): Side[] {
  return findRegion(state, name).map((node) => ({ node, from: { regions: [other] } }));
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
