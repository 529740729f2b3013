import { Command, InvalidArgumentError, Option } from 'commander';
import { onRun, parseCount, withOutput, type CliContext } from '../command.ts';
import { runDev } from '../dev/dev.ts';
import { CliError } from '../exit-code.ts';
import { dataDirOf, type OutputFormat } from '../settings.ts';

interface DevFlags {
  readonly regions?: number;
  readonly nodes: readonly number[];
  readonly partitions: number;
  readonly data?: string;
  readonly basePort: number;
  readonly link: 'direct' | 'nats';
  readonly output?: OutputFormat;
}

export function devCommand(context: CliContext): Command {
  const command = withOutput(new Command('dev'))
    .description('run a whole cluster on this machine, each node a process of its own, until interrupted')
    .option('--regions <count>', 'how many regions (default: 3, or as many as --nodes lists)', parseCount)
    .option('--nodes <counts>', 'nodes per region, up to 9; or a list with one count for each region', parseCounts, [3])
    .option('--partitions <count>', 'slices of the key space; fixed when the data folder is made', parseCount, 1)
    .option('--data <dir>', 'folder for data and logs, kept between runs (environment: SKERRY_DATA; default: .skerry)')
    .option('--base-port <port>', 'region r, node n listens from this + 100·r + 10·n', parseCount, 7_000)
    .addOption(
      new Option('--link <kind>', 'what carries changes between regions').choices(['direct', 'nats']).default('direct'),
    )
    .addHelpText(
      'after',
      `
Clients connect at a node's first port; the next one is for the other nodes, the one after it for health, metrics and
administration. All listen at 127.0.0.1 only. With -o json the only output is one line when the cluster is ready.
With --link nats a nats-server is started, too; it must be on PATH.

Examples:
  skerry dev
  skerry dev --nodes 5,3,1
  skerry dev --link nats
  skerry dev --regions 1 --nodes 5 --base-port 9000 --data /var/tmp/five`,
    );
  return onRun<DevFlags>(context, command, (flags) => {
    const dataDir = dataDirOf(flags.data, context.terminal.env);
    const { partitions, basePort, link } = flags;
    const options = { sizes: sizesOf(flags), partitions, basePort, dataDir, link, json: flags.output === 'json' };
    return runDev(options, context.terminal);
  });
}

function sizesOf({ regions, nodes }: DevFlags): number[] {
  const [size = 0] = nodes;
  if (nodes.length === 1) return Array.from({ length: regions ?? 3 }, () => size);
  if (regions !== undefined && regions !== nodes.length)
    throw new CliError(`--nodes has ${nodes.length} counts for ${regions} regions`);
  return [...nodes];
}

function parseCounts(text: string): number[] {
  const counts = text.split(',').map((part) => (/^[1-9]\d*$/.test(part) ? Number(part) : Number.NaN));
  if (counts.some(Number.isNaN)) throw new InvalidArgumentError('It must be a whole number from 1, or a list of such.');
  return counts;
}
