import { readFileSync } from 'node:fs';
import {
  ConfigError,
  describeConfig,
  exitCodes,
  loadConfig,
  type ConfigDescription,
  type ServerConfig,
} from '@skerry/server';
import { Command } from 'commander';
import { onRun, type CliContext } from '../command.ts';
import { readRunningDevState } from '../dev/state-file.ts';
import { CliError } from '../exit-code.ts';
import { visible } from '../output.ts';
import type { RebuildPeers } from '../server/rebuild.ts';
import { runServer } from '../server/run-server.ts';
import { dataDirOf } from '../settings.ts';

interface ServerFlags {
  readonly config?: string;
  readonly rebuild?: boolean;
  readonly via?: string;
  readonly [field: string]: unknown;
}

export function serverCommand(context: CliContext): Command {
  const command = new Command('server')
    .description('run one node until it is told to stop (SIGTERM)')
    .option('--config <file>', 'JSON file with the same settings; a flag wins over the environment, that over the file')
    .option('--rebuild', "set this node's data aside and fetch everything again from its peers")
    .option(
      '--via <endpoints>',
      'with --rebuild: client addresses of living nodes of the region (environment: SKERRY_ENDPOINTS)',
    )
    .addHelpText(
      'after',
      `
Exit codes: 0 stopped as told; 65 stored data is corrupt; 70 a bug; 74 the disk failed; 78 bad configuration.

Examples:
  skerry server --node a --region north --data-folder ./a --bootstrap a
  skerry server --config node.json --rebuild`,
    );
  for (const field of describeConfig()) addFlag(command, field);
  return onRun<ServerFlags>(context, command, (flags) => {
    const config = configOf(flags, context);
    if (config === null) return exitCodes.config;
    return runServer(config, {
      terminal: context.terminal,
      rebuild: flags.rebuild === true ? peersOf(config, flags, context) : null,
      rebuildHint: ['skerry server --rebuild', ...hintFlags(flags)].join(' '),
    });
  });
}

/** Members are asked for over a client connection, since they know each other's administration addresses. */
function peersOf(config: ServerConfig, flags: ServerFlags, context: CliContext): RebuildPeers {
  const given = flags.via ?? context.terminal.env['SKERRY_ENDPOINTS'];
  const dev = readRunningDevState(dataDirOf(undefined, context.terminal.env))?.regions.find(
    ({ name }) => name === config.region,
  );
  const endpoints =
    given?.split(',').map((text) => text.trim()) ??
    dev?.nodes.filter(({ name }) => name !== config.node).map(({ client }) => client);
  if (endpoints === undefined) throw new CliError('name living nodes of the region: --rebuild --via ws://host:7110');
  return {
    adminUrls: async (signal) => {
      const db = await context.connect(endpoints, signal);
      try {
        const members = await db.members();
        return members
          .filter(({ node, adminUrl }) => node !== config.node && adminUrl !== '')
          .map(({ adminUrl }) => adminUrl);
      } finally {
        await db.close();
      }
    },
  };
}

/** The flags that were given, so that the command line for a rebuild can be copied. */
function hintFlags({ rebuild: _, ...flags }: ServerFlags): string[] {
  const names = new Map(describeConfig().map(({ field, flag }) => [field as string, flag]));
  return Object.entries(flags).map(([field, value]) => {
    const flag = names.get(field) ?? `--${field}`;
    return value === true ? flag : `${flag} ${String(value)}`;
  });
}

function addFlag(command: Command, { flag, kind, description, environment, default: value }: ConfigDescription): void {
  const text = `${description.replace(/\.$/, '')} (${environment}${value === null ? '' : `; default: ${value}`})`;
  command.option(kind === 'boolean' ? flag : `${flag} <${kind}>`, text);
}

/** null: it cannot be used, which was said. */
function configOf(
  { config, rebuild: _, via: __, ...flags }: ServerFlags,
  { terminal }: CliContext,
): ServerConfig | null {
  try {
    return loadConfig({ file: config === undefined ? {} : readConfigFile(config), environment: terminal.env, flags });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    terminal.err(`skerry: bad configuration\n${error.problems.map((problem) => `  ${visible(problem)}\n`).join('')}`);
    return null;
  }
}

function readConfigFile(path: string): Record<string, unknown> {
  let file: unknown;
  try {
    file = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError([`${path}: ${(error as Error).message}`]);
  }
  if (typeof file !== 'object' || file === null || Array.isArray(file))
    throw new ConfigError([`${path}: must hold a JSON object`]);
  return file as Record<string, unknown>;
}
