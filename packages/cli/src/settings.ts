import { readFileSync } from 'node:fs';
import { readRunningDevState } from './dev/state-file.ts';
import { CliError } from './exit-code.ts';

export type OutputFormat = 'json' | 'table';

/** Flags that every command takes which talks to a cluster, as commander hands them over. */
export interface ConnectionFlags {
  readonly endpoint?: readonly string[];
  readonly output?: OutputFormat;
  readonly config?: string;
}

export interface Settings {
  readonly endpoints: readonly string[];
  readonly output: OutputFormat;
}

const fallbackEndpoint = 'ws://127.0.0.1:7110';
export const defaultDataDir = '.skerry';

/**
 * Flag over environment over config file. Without any of these the endpoints are those of the first region of the dev
 * cluster that runs on the data folder, else the port that a single node listens at.
 */
export function resolveSettings(flags: ConnectionFlags, env: Readonly<Record<string, string | undefined>>): Settings {
  const configFile = flags.config ?? env['SKERRY_CONFIG'];
  const file = configFile === undefined ? {} : readConfigFile(configFile);
  const endpoints = flags.endpoint ??
    splitList(env['SKERRY_ENDPOINTS']) ??
    file.endpoints ??
    devEndpoints(env) ?? [fallbackEndpoint];
  return {
    endpoints: endpoints.map(requireEndpoint),
    output: flags.output ?? parseOutput(env['SKERRY_OUTPUT'], 'SKERRY_OUTPUT') ?? file.output ?? 'table',
  };
}

/** The folder of the dev cluster: flag, environment or `.skerry` here. */
export function dataDirOf(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  return flag ?? (env['SKERRY_DATA'] || defaultDataDir);
}

interface ConfigFile {
  readonly endpoints?: readonly string[];
  readonly output?: OutputFormat;
}

function readConfigFile(path: string): ConfigFile {
  const raw = parseJson(path);
  for (const field of Object.keys(raw)) {
    if (field !== 'endpoints' && field !== 'output')
      throw new CliError(`${path}: unknown field ${field}; known are endpoints, output`);
  }
  const { endpoints, output } = raw;
  if (endpoints !== undefined && !(Array.isArray(endpoints) && endpoints.every((item) => typeof item === 'string'))) {
    throw new CliError(`${path}: endpoints must be a list of addresses`);
  }
  const format = parseOutput(output, `${path}: output`);
  return {
    ...(endpoints === undefined ? {} : { endpoints: endpoints as string[] }),
    ...(format === undefined ? {} : { output: format }),
  };
}

function parseJson(path: string): Record<string, unknown> {
  let raw: unknown;
  try {
    raw = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CliError(`cannot read the config file ${path}: ${(error as Error).message}`);
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw new CliError(`${path} must hold a JSON object`);
  return raw as Record<string, unknown>;
}

function parseOutput(value: unknown, where: string): OutputFormat | undefined {
  if (value === undefined || value === '') return undefined;
  if (value === 'json' || value === 'table') return value;
  throw new CliError(`${where} must be json or table`);
}

function splitList(text: string | undefined): string[] | undefined {
  const parts = (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return parts.length === 0 ? undefined : parts;
}

function devEndpoints(env: Readonly<Record<string, string | undefined>>): string[] | undefined {
  return readRunningDevState(dataDirOf(undefined, env))?.regions[0]?.nodes.map((node) => node.client);
}

function requireEndpoint(text: string): string {
  try {
    const { protocol } = new URL(text);
    if (protocol === 'ws:' || protocol === 'wss:') return text;
  } catch {
    // Told below.
  }
  throw new CliError(`${text} is not an endpoint; one looks like ${fallbackEndpoint}`);
}
