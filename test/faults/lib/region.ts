import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Client, type ConnectOptions } from '@skerry/client';
import { freePorts } from './ports.ts';
import { RegionNode, type Status } from './region-node.ts';
import { until } from './until.ts';

export interface RegionOptions {
  /** Where there are several; its nodes are named after it. Default `faults`, with nodes n1, n2, … */
  readonly name?: string;
  /** Default 3. */
  readonly nodes?: number;
  /** Nodes beyond those: planned and not started, to be added as members. Default none. */
  readonly spares?: number;
  /** Three for each node: for clients, for peers, for administration. Default: free ones. */
  readonly ports?: readonly number[];
  /** Where data, settings and logs go; a new temporary folder unless told, removed by {@link Region.remove}. */
  readonly folder?: string;
  /** Fields of the server's configuration beyond addresses and names. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The `skerry` command of another build, which runs all nodes. Default: of this one. */
  readonly bin?: string;
  /** Environment of a node's process. */
  readonly env?: (node: string) => Readonly<Record<string, string>>;
  /** Runs a node's process: a program and its arguments, to which those of the node are added. Default: none. */
  readonly runner?: (node: string) => readonly string[];
  /** Where a node listens. Default 127.0.0.1. */
  readonly host?: (node: string) => string;
  /** Where clients and peers are told to reach a node, when that is not where it listens. */
  readonly advertise?: (node: string, own: Addresses) => Addresses;
  /** For Node itself, of every process. */
  readonly nodeArgs?: readonly string[];
  /** What the processes send over their IPC channels. */
  readonly onMessage?: (node: string, message: unknown) => void;
}

export interface Addresses {
  readonly clientUrl: string;
  readonly peerUrl: string;
}

const portAttemptsMax = 3;

/** A region of real nodes on loopback ports of this machine, with fault injection allowed. */
export class Region {
  readonly name: string;
  readonly folder: string;
  readonly nodes: readonly RegionNode[];
  readonly #clients = new Set<Client>();

  private constructor(name: string, folder: string, nodes: readonly RegionNode[]) {
    this.name = name;
    this.folder = folder;
    this.nodes = nodes;
  }

  /** Plans the nodes and writes their settings; none is started. */
  static async plan({
    name: regionName = 'faults',
    nodes: count = 3,
    spares = 0,
    ports: givenPorts,
    folder,
    settings = {},
    bin,
    env,
    runner,
    host = () => '127.0.0.1',
    advertise,
    nodeArgs = [],
    onMessage,
  }: RegionOptions = {}): Promise<Region> {
    const home = folder ?? mkdtempSync(join(tmpdir(), 'skerry-faults-'));
    mkdirSync(home, { recursive: true });
    const names = Array.from({ length: count + spares }, (_, index) =>
      regionName === 'faults' ? `n${index + 1}` : `${regionName}-${index + 1}`,
    );
    const ports = givenPorts ?? (await freePorts(3 * names.length));
    const port = (index: number, use: number): number => ports[3 * index + use] as number;
    const addresses = names.map((node, index) => {
      const own = {
        clientUrl: `ws://${host(node)}:${port(index, 0)}`,
        peerUrl: `ws://${host(node)}:${port(index, 1)}`,
      };
      return advertise?.(node, own) ?? own;
    });
    const addressesOf = (index: number): Addresses => addresses[index] as Addresses;
    const peers = names.map((node, index) => ({ node, peerUrl: addressesOf(index).peerUrl }));
    const nodes = names.map((name, index) => {
      const configFile = join(home, `${name}.json`);
      const dataFolder = join(home, name);
      const config = {
        node: name,
        region: regionName,
        cluster: 'skerry-faults',
        dataFolder,
        host: host(name),
        ...(advertise === undefined
          ? {}
          : { advertiseClientUrl: addressesOf(index).clientUrl, advertisePeerUrl: addressesOf(index).peerUrl }),
        clientPort: port(index, 0),
        peerPort: port(index, 1),
        adminPort: port(index, 2),
        peers: peers.filter(({ node }) => node !== name),
        ...(index < count ? { bootstrap: names.slice(0, count) } : { join: true }),
        unsafeFaultInjection: true,
        ...settings,
      };
      writeFileSync(configFile, JSON.stringify(config));
      return new RegionNode({
        name,
        clientUrl: addressesOf(index).clientUrl,
        peerUrl: addressesOf(index).peerUrl,
        adminUrl: `http://${host(name)}:${port(index, 2)}`,
        configFile,
        dataFolder,
        logFile: join(home, `${name}.log`),
        env: env?.(name) ?? {},
        runner: runner?.(name) ?? [],
        nodeArgs,
        ...(bin === undefined ? {} : { bin }),
        ...(onMessage === undefined ? {} : { onMessage: (message) => onMessage(name, message) }),
      });
    });
    return new Region(regionName, home, nodes);
  }

  /** Starts all nodes and waits until each answers consistent calls. */
  static async start(options: RegionOptions = {}): Promise<Region> {
    for (let attempt = 1; ; attempt++) {
      const region = await Region.plan(options);
      for (const node of region.nodes.slice(0, options.nodes ?? 3)) node.start();
      try {
        await region.ready();
        return region;
      } catch (error) {
        await region.stop();
        // Somebody else was given the same port between the look at it and its use.
        const isPortTaken = region.nodes.some((node) => node.crash !== null && node.log.includes('EADDRINUSE'));
        if (!isPortTaken || attempt === portAttemptsMax) throw error;
        if (options.folder === undefined) region.remove();
      }
    }
  }

  node(name: string): RegionNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  get running(): readonly RegionNode[] {
    return this.nodes.filter((node) => node.isRunning);
  }

  /** Every other node than these. */
  others(...nodes: readonly RegionNode[]): RegionNode[] {
    return this.nodes.filter((node) => !nodes.includes(node));
  }

  /** All nodes that run answer consistent calls. */
  async ready(timeoutMs = 60_000): Promise<void> {
    for (const node of this.running) {
      await until(
        `${node.name} to answer consistent calls`,
        () => {
          this.requireNoCrash();
          return node.isReady();
        },
        timeoutMs,
      );
    }
  }

  /** These nodes take orders, though they may have no quorum yet. */
  async listening(nodes: readonly RegionNode[], timeoutMs = 30_000): Promise<void> {
    for (const node of nodes) {
      await until(
        `${node.name} to be up`,
        () => {
          this.requireNoCrash();
          return node.isReady('local');
        },
        timeoutMs,
      );
    }
  }

  /** Waits for a node that leads partition 0, and is sure of it. `among`: who may answer. */
  async leader(among: readonly RegionNode[] = this.running): Promise<RegionNode> {
    return until('a leader', async () => {
      const statuses = await Promise.all(among.map((node) => node.status()));
      const leading = among
        .map((node, index) => ({ node, partition: statuses[index]?.partitions[0] }))
        .filter(({ partition }) => partition?.role === 'leader' && partition.quorum)
        .sort((a, b) => (b.partition?.term ?? 0) - (a.partition?.term ?? 0));
      return leading[0]?.node;
    });
  }

  /** Waits until all nodes that run have applied the same, and nothing is pending; returns their states. */
  async settled(timeoutMs = 60_000): Promise<Status[]> {
    const what = `${this.running.map(({ name }) => name).join(', ')} to have applied the same`;
    return until(
      what,
      async () => {
        this.requireNoCrash();
        const statuses = await Promise.all(this.running.map((node) => node.status()));
        const known = statuses.filter((status) => status !== null);
        if (known.length < this.running.length) return null;
        const facts = known.map(({ partitions }) =>
          partitions.map(({ applied, commit, leader }) => `${applied} ${commit} ${leader}`).join(),
        );
        const isDone = new Set(facts).size === 1 && known.every(isQuiet);
        return isDone ? known : null;
      },
      timeoutMs,
    );
  }

  /** A client of the region, closed by {@link stop}. `nodes`: whom it may know at first, in order of preference. */
  async client(nodes: readonly RegionNode[] = this.nodes, options: Partial<ConnectOptions> = {}): Promise<Client> {
    const client = await connect({ endpoints: nodes.map(({ clientUrl }) => clientUrl), ...options });
    this.#clients.add(client);
    return client;
  }

  /** A client that stays with one node whatever happens to it, also while it is paused. */
  pinned(node: RegionNode): Promise<Client> {
    const never = 24 * 3_600_000;
    return this.client([node], {
      timing: { quietMs: never, idleMs: never, stallMs: never },
      discover: false,
    });
  }

  /** Fails if a node ended by itself. */
  requireNoCrash(): void {
    const crash = this.nodes.map((node) => node.crash).find((text) => text !== null);
    if (crash !== undefined) throw new Error(`${crash}; its log is in ${this.folder}`);
  }

  /** What each node says of itself, a line each, for people. */
  async describe(): Promise<string> {
    const lines = this.nodes.map(async (node) => {
      const status = await node.status(500);
      const state =
        status === null ? (node.isRunning ? 'says nothing' : 'does not run') : JSON.stringify(status.partitions);
      return `${node.name}: ${state} connected to ${status?.connectedPeers.join(' ') ?? 'nobody'}`;
    });
    return (await Promise.all(lines)).join('\n');
  }

  /** Closes the clients and ends the nodes at once. */
  async stop(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.close()));
    this.#clients.clear();
    await Promise.all(
      this.nodes.map((node) => {
        node.resume();
        return node.kill();
      }),
    );
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function isQuiet({ partitions }: Status): boolean {
  return partitions.every(
    ({ leader, applied, commit, pending }) => leader !== null && applied === commit && pending === 0,
  );
}

/** Runs `use` with a region and ends it. Its folder stays, for its logs, when `use` fails or returns violations. */
export async function withRegion<T>(options: RegionOptions, use: (region: Region) => Promise<T>): Promise<T> {
  const region = await Region.start(options);
  try {
    const result = await use(region);
    await region.stop();
    if (hasViolations(result)) process.stderr.write(`  logs: ${region.folder}\n`);
    else region.remove();
    return result;
  } catch (error) {
    const states = await region.describe();
    await region.stop();
    throw new Error(`${(error as Error).message}\n${states}\nlogs: ${region.folder}`, { cause: error });
  }
}

function hasViolations(result: unknown): boolean {
  const found = Array.isArray(result) ? result : (result as { violations?: unknown } | null)?.violations;
  return Array.isArray(found) && found.length > 0;
}
