import { Command, Option } from 'commander';
import { onRun, parseCount, withOutput, type CliContext } from '../command.ts';
import { runDev } from '../dev/dev.ts';
import { CliError } from '../exit-code.ts';
import { dataDirOf, type OutputFormat } from '../settings.ts';

interface DevFlags {
  readonly regions: number;
  readonly nodes: number;
  readonly partitions: number;
  readonly data?: string;
  readonly basePort: number;
  readonly link: 'direct' | 'nats';
  readonly output?: OutputFormat;
}

export function devCommand(context: CliContext): Command {
  const command = withOutput(new Command('dev'))
    .description('run a whole cluster on this machine, each node a process of its own, until interrupted')
    .option('--regions <count>', 'how many regions', parseCount, 3)
    .option('--nodes <count>', 'nodes per region, up to 9', parseCount, 3)
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

Examples:
  skerry dev
  skerry dev --regions 1 --nodes 5 --base-port 9000 --data /var/tmp/five`,
    );
  return onRun<DevFlags>(context, command, (flags) => {
    if (flags.link === 'nats')
      throw new CliError('--link nats is not there yet: in this version the regions stand alone; use --link direct');
    const dataDir = dataDirOf(flags.data, context.terminal.env);
    const { regions, nodes, partitions, basePort } = flags;
    return runDev({ regions, nodes, partitions, basePort, dataDir, json: flags.output === 'json' }, context.terminal);
  });
}
