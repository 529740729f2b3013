import { isName } from '@skerry/base';
import { defaultDirectLinkLimits, directLinkLimits, type DirectLinkLimits } from '@skerry/link-direct';
import { defaultLimits, defaultTiming, type ReplicaLimits, type ReplicaTiming } from '@skerry/replica';
import { z } from 'zod';
import { defaultClientLimits, defaultPeerLimits, type ClientLimits, type PeerLimits } from './limits.ts';

/** A node of the same region and where it listens for its peers. */
export interface PeerAddress {
  readonly node: string;
  /** `ws://host:port` */
  readonly peerUrl: string;
}

/** Another region and where some of its nodes listen for their peers. */
export interface RegionAddress {
  readonly region: string;
  /** `ws://host:port`; none: its nodes dial this one. */
  readonly urls: readonly string[];
}

export type LinkKind = 'direct' | 'nats';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** All that a node must be told. Made by {@link loadConfig}, which checks it; every field is described there. */
export interface ServerConfig {
  readonly node: string;
  readonly region: string;
  readonly cluster: string;
  readonly dataFolder: string;
  readonly partitions: number;
  readonly host: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly adminPort: number;
  readonly peers: readonly PeerAddress[];
  readonly bootstrap: readonly string[];
  readonly join: boolean;
  readonly regions: readonly RegionAddress[];
  readonly link: LinkKind;
  readonly natsServers: readonly string[];
  readonly advertiseClientUrl: string | null;
  readonly advertisePeerUrl: string | null;
  readonly advertiseAdminUrl: string | null;
  readonly logLevel: LogLevel;
  readonly timing: ReplicaTiming;
  readonly limits: ReplicaLimits;
  readonly clientLimits: ClientLimits;
  readonly peerLimits: PeerLimits;
  readonly linkLimits: DirectLinkLimits;
  readonly scrubIntervalMs: number;
  readonly stopMsMax: number;
  readonly unsafeFaultInjection: boolean;
}

/** How the text of a flag or an environment variable becomes a value. */
export type ConfigFieldKind = 'text' | 'number' | 'boolean' | 'list' | 'peers' | 'regions' | 'overrides';

interface ConfigField {
  readonly kind: ConfigFieldKind;
  readonly schema: z.ZodType;
  readonly description: string;
  /** Shown by `--help`; null: must be given, or none. */
  readonly default: string | null;
}

const name = z.string().refine(isName, 'must be 1 to 64 of A-Z a-z 0-9 . _ - with a letter or digit at both ends');
const port = z.int().min(0).max(65_535);
const webSocketUrl = z.url({ protocol: /^wss?$/, error: 'must be a ws:// or wss:// address' });
const natsUrl = z.url({ protocol: /^(nats|tls)$/, error: 'must be a nats:// or tls:// address' });
const webUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' });
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Positive integers, any of which may be overridden by name; an unknown name is refused. */
function overrides<Defaults extends { readonly [Name in keyof Defaults]: number }>(defaults: Defaults): z.ZodType {
  const shape: Record<string, z.ZodType> = {};
  for (const [field, value] of Object.entries(defaults))
    shape[field] = z
      .int()
      .min(1)
      .default(value as number);
  return z.strictObject(shape).prefault({});
}

function required(kind: ConfigFieldKind, schema: z.ZodType, description: string): ConfigField {
  return { kind, schema, description, default: null };
}

function optional(kind: ConfigFieldKind, schema: z.ZodType, value: unknown, description: string): ConfigField {
  const shown =
    value === null
      ? null
      : Array.isArray(value)
        ? value.join(',')
        : typeof value === 'string'
          ? value
          : JSON.stringify(value);
  return { kind, schema: schema.default(value), description, default: shown };
}

const fields: { readonly [Name in keyof ServerConfig]: ConfigField } = {
  node: required('text', name, 'Name of this node, unique in its region.'),
  region: required('text', name, 'Name of the region (datacenter) that the node is part of.'),
  cluster: optional('text', name, 'skerry', 'Name of the whole system; nodes and clients of another one are refused.'),
  dataFolder: required('text', z.string().min(1), 'Folder of this node alone; made if it is not there.'),
  partitions: optional(
    'number',
    z.int().min(1).max(1_024),
    1,
    'Slices of the key space, each a Raft group. Fixed when the cluster is made, equal everywhere.',
  ),
  host: optional(
    'text',
    z.string().min(1),
    '127.0.0.1',
    'Address to listen at. Anything but loopback is reachable by others, who need no password.',
  ),
  clientPort: optional('number', port, 7_110, 'Port for clients and HTTP; 0 takes a free one.'),
  peerPort: optional('number', port, 7_111, 'Port for the other nodes; 0 takes a free one.'),
  adminPort: optional('number', port, 7_112, 'Port for health, metrics and administration; 0 takes a free one.'),
  peers: optional(
    'peers',
    z.array(z.strictObject({ node: name, peerUrl: webSocketUrl })),
    [],
    'Nodes of the region to contact first, as node=ws://host:port; more are learned from them.',
  ),
  bootstrap: optional(
    'list',
    z.array(name),
    [],
    'Names of the voters of a cluster that is made now; the same list on each of them.',
  ),
  join: optional(
    'boolean',
    z.boolean(),
    false,
    'The node joins an existing cluster, whose operator adds it as a member.',
  ),
  regions: optional(
    'regions',
    z.array(z.strictObject({ region: name, urls: z.array(webSocketUrl).max(64) })),
    [],
    'The other regions, as region=ws://host:port|ws://host:port with peer addresses of some nodes of each.',
  ),
  link: optional(
    'text',
    z.enum(['direct', 'nats']),
    'direct',
    'What carries changes between regions: direct (WebSockets) or nats (JetStream).',
  ),
  natsServers: optional(
    'list',
    z.array(natsUrl),
    [],
    'Addresses of NATS servers, nats://host:port, where link is nats; one is used at a time.',
  ),
  advertiseClientUrl: optional(
    'text',
    webSocketUrl.nullable(),
    null,
    'Where clients reach this node, when not at the address it listens at.',
  ),
  advertisePeerUrl: optional('text', webSocketUrl.nullable(), null, 'Where other nodes reach this node.'),
  advertiseAdminUrl: optional('text', webUrl.nullable(), null, 'Where operators reach this node.'),
  logLevel: optional('text', z.enum(logLevels), 'info', 'trace, debug, info, warn, error, fatal or silent.'),
  timing: {
    kind: 'overrides',
    schema: overrides(defaultTiming),
    description: 'Timing of the replica, by field name.',
    default: null,
  },
  limits: {
    kind: 'overrides',
    schema: overrides(defaultLimits),
    description: 'Limits of the replica, by field name.',
    default: null,
  },
  clientLimits: {
    kind: 'overrides',
    schema: overrides(defaultClientLimits),
    description: 'Limits of client connections, by field name.',
    default: null,
  },
  peerLimits: {
    kind: 'overrides',
    schema: overrides(defaultPeerLimits),
    description: 'Limits of connections between nodes, by field name.',
    default: null,
  },
  linkLimits: {
    kind: 'overrides',
    schema: overrides(defaultDirectLinkLimits),
    description: 'Limits of direct links to other regions, by field name.',
    default: null,
  },
  scrubIntervalMs: optional(
    'number',
    z.int().min(0),
    6 * 3_600_000,
    'Milliseconds between two checks of all stored records; 0: none.',
  ),
  stopMsMax: optional(
    'number',
    z.int().min(1),
    3_000,
    'Milliseconds that a planned stop may take to hand over and to answer what is open.',
  ),
  unsafeFaultInjection: optional(
    'boolean',
    z.boolean(),
    false,
    'Lets anyone who reaches the admin port cut this node off from others. For tests and demonstrations.',
  ),
};

/** Strict: an unknown field is an error. Relations between fields are checked too. */
export const serverConfigSchema: z.ZodType<ServerConfig> = z
  .strictObject(Object.fromEntries(Object.entries(fields).map(([field, { schema }]) => [field, schema])))
  .superRefine((raw, context) => {
    for (const [field, message] of relationProblems(raw as unknown as ServerConfig)) {
      context.addIssue({ code: 'custom', path: [field], message });
    }
  }) as unknown as z.ZodType<ServerConfig>;

function relationProblems(config: ServerConfig): [keyof ServerConfig, string][] {
  const problems: [keyof ServerConfig, string][] = [];
  const known = new Set([config.node, ...config.peers.map((peer) => peer.node)]);
  if (config.join && config.bootstrap.length > 0)
    problems.push(['join', 'excludes bootstrap: a node either makes a cluster or joins one']);
  if (!config.join && config.bootstrap.length === 0)
    problems.push(['bootstrap', 'name the voters of the new cluster, or set join']);
  if (config.join && config.peers.length === 0)
    problems.push(['peers', 'a node that joins needs at least one peer to contact']);
  if (config.bootstrap.length > 0 && !config.bootstrap.includes(config.node))
    problems.push(['bootstrap', `must name this node, ${config.node}`]);
  if (new Set(config.bootstrap).size !== config.bootstrap.length) problems.push(['bootstrap', 'names a node twice']);
  for (const voter of config.bootstrap) {
    if (!known.has(voter)) problems.push(['peers', `lacks the address of ${voter}, which bootstrap names`]);
  }
  if (new Set(config.peers.map((peer) => peer.node)).size !== config.peers.length)
    problems.push(['peers', 'names a node twice']);
  const ports = [config.clientPort, config.peerPort, config.adminPort].filter((used) => used !== 0);
  if (new Set(ports).size !== ports.length) problems.push(['clientPort', 'client, peer and admin port must differ']);
  if (['0.0.0.0', '::'].includes(config.host)) {
    for (const field of ['advertiseClientUrl', 'advertisePeerUrl', 'advertiseAdminUrl'] as const) {
      if (config[field] === null) problems.push([field, `must be given: nobody can reach a node at ${config.host}`]);
    }
  }
  const { heartbeatTicks, electionTicksMin, electionTicksMax } = config.timing;
  if (heartbeatTicks * 2 > electionTicksMin)
    problems.push(['timing', 'electionTicksMin must be at least twice heartbeatTicks']);
  if (electionTicksMin >= electionTicksMax)
    problems.push(['timing', 'electionTicksMax must be above electionTicksMin']);
  if (config.clientLimits.frameBytesMax < 2 * config.limits.valueBytesMax)
    problems.push([
      'clientLimits',
      'frameBytesMax must be at least twice limits.valueBytesMax, for a swap carries two values',
    ]);
  if (config.peerLimits.frameBytesMax < 2 * config.limits.uncommittedBytesMax)
    problems.push(['peerLimits', 'frameBytesMax must be at least twice limits.uncommittedBytesMax']);
  problems.push(...linkProblems(config));
  return problems;
}

function linkProblems({
  region,
  regions,
  link,
  natsServers,
  linkLimits,
}: ServerConfig): [keyof ServerConfig, string][] {
  const problems: [keyof ServerConfig, string][] = [];
  const names = regions.map((other) => other.region);
  if (names.includes(region)) problems.push(['regions', `names this node's own region, ${region}`]);
  if (new Set(names).size !== names.length) problems.push(['regions', 'names a region twice']);
  if (link === 'nats' && natsServers.length === 0) problems.push(['natsServers', 'must be given where link is nats']);
  try {
    directLinkLimits(linkLimits);
  } catch (error) {
    problems.push(['linkLimits', (error as Error).message]);
  }
  return problems;
}

/** The configuration cannot be used. `problems` has one line per field. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`bad configuration: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

/** Where values come from; each an object with fields of {@link ServerConfig}, values as they are or as text. */
export interface ConfigSources {
  readonly file?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly flags?: Readonly<Record<string, unknown>>;
}

/**
 * Flags over environment over file; the overrides of timing and limits are merged by name. Throws {@link ConfigError}
 * with every problem found, unknown fields included.
 */
export function loadConfig({ file = {}, environment = {}, flags = {} }: ConfigSources): ServerConfig {
  const problems: string[] = [];
  const merged: Record<string, unknown> = {};
  for (const source of [file, fromEnvironment(environment), flags]) {
    for (const [field, value] of Object.entries(source)) {
      if (value === undefined) continue;
      try {
        mergeField(merged, field, value);
      } catch (error) {
        problems.push(`${field}: ${(error as Error).message}`);
      }
    }
  }
  const result = serverConfigSchema.safeParse(merged);
  if (!result.success) problems.push(...result.error.issues.map(formatIssue));
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return result.data;
}

function mergeField(merged: Record<string, unknown>, field: string, value: unknown): void {
  const known = Object.hasOwn(fields, field) ? fields[field as keyof ServerConfig] : undefined;
  const parsed = known !== undefined && typeof value === 'string' ? parseText(known.kind, value) : value;
  const before = merged[field];
  merged[field] =
    known?.kind === 'overrides' && isRecord(before) && isRecord(parsed) ? { ...before, ...parsed } : parsed;
}

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const values: Record<string, string> = {};
  for (const field of Object.keys(fields)) {
    const value = environment[environmentName(field)];
    if (value !== undefined && value !== '') values[field] = value;
  }
  return values;
}

function parseText(kind: ConfigFieldKind, text: string): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'number':
      if (!/^\d+$/.test(text)) throw new Error(`must be a number, not ${JSON.stringify(text)}`);
      return Number(text);
    case 'boolean':
      if (text === 'true' || text === '1') return true;
      if (text === 'false' || text === '0') return false;
      throw new Error(`must be true or false, not ${JSON.stringify(text)}`);
    case 'list':
      return splitList(text);
    case 'peers':
      return splitList(text).map((peer) => {
        const at = peer.indexOf('=');
        if (at < 1) throw new Error(`must be node=ws://host:port, not ${JSON.stringify(peer)}`);
        return { node: peer.slice(0, at), peerUrl: peer.slice(at + 1) };
      });
    case 'regions':
      return splitList(text).map((region) => {
        const [name = '', urls = '', ...more] = region.split('=');
        if (name === '' || more.length > 0)
          throw new Error(`must be region=ws://host:port|ws://host:port, not ${JSON.stringify(region)}`);
        return { region: name, urls: splitList(urls, '|') };
      });
    case 'overrides':
      return Object.fromEntries(
        splitList(text).map((override) => {
          const [, field, number] = /^(\w+)=(\d+)$/.exec(override) ?? [];
          if (field === undefined) throw new Error(`must be name=number, not ${JSON.stringify(override)}`);
          return [field, Number(number)];
        }),
      );
  }
}

function splitList(text: string, separator = ','): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function formatIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${[...issue.path, key].join('.')}: unknown field`).join('; ');
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined && issue.path.length === 1;
  return `${issue.path.join('.')}: ${missing ? 'must be given' : issue.message}`;
}

function dashed(field: string, separator: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `${separator}${letter.toLowerCase()}`);
}

function environmentName(field: string): string {
  return `SKERRY_${dashed(field, '_').toUpperCase()}`;
}

export interface ConfigDescription {
  readonly field: keyof ServerConfig;
  readonly kind: ConfigFieldKind;
  /** `--client-port` */
  readonly flag: string;
  /** `SKERRY_CLIENT_PORT` */
  readonly environment: string;
  /** null: must be given, or there is none. */
  readonly default: string | null;
  readonly description: string;
}

/** What there is to configure, for `--help` and the documentation. */
export function describeConfig(): ConfigDescription[] {
  return Object.entries(fields).map(([field, { kind, description, default: value }]) => ({
    field: field as keyof ServerConfig,
    kind,
    flag: `--${dashed(field, '-')}`,
    environment: environmentName(field),
    default: value === '' ? null : value,
    description,
  }));
}
