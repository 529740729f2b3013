import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NatsBroker } from './nats-broker.ts';
import { freePorts } from './ports.ts';
import { Region, type RegionOptions } from './region.ts';
import type { RegionNode, Status } from './region-node.ts';
import type { LinkKind } from './scenario.ts';
import { until } from './until.ts';

export interface ClusterOptions extends Pick<RegionOptions, 'settings' | 'env' | 'nodeArgs' | 'onMessage'> {
  /** Nodes of each region; default three regions of three. */
  readonly sizes?: readonly number[];
  readonly link?: LinkKind;
}

const startAttemptsMax = 3;

/** Several regions of real nodes, linked, with fault injection allowed. */
export class Cluster {
  readonly folder: string;
  readonly regions: readonly Region[];
  readonly #broker: NatsBroker | null;

  private constructor(folder: string, regions: readonly Region[], broker: NatsBroker | null) {
    this.folder = folder;
    this.regions = regions;
    this.#broker = broker;
  }

  /** Starts all nodes and waits until each region answers and hears of all others. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    for (let attempt = 1; ; attempt++) {
      const cluster = await Cluster.#plan(options);
      for (const node of cluster.nodes) node.start();
      try {
        await cluster.joined();
        return cluster;
      } catch (error) {
        await cluster.stop();
        // Somebody else was given the same port between the look at it and its use.
        const isPortTaken = cluster.nodes.some((node) => node.crash !== null && node.log.includes('EADDRINUSE'));
        if (!isPortTaken || attempt === startAttemptsMax) throw error;
        cluster.remove();
      }
    }
  }

  static async #plan({ sizes = [3, 3, 3], link = 'direct', settings = {}, ...rest }: ClusterOptions): Promise<Cluster> {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-faults-'));
    const broker = link === 'nats' ? await NatsBroker.start(folder) : null;
    const names = sizes.map((_, index) => `region-${index + 1}`);
    const ports = await Promise.all(sizes.map((size) => freePorts(3 * size)));
    const contacts = names.map((region, index) => ({
      region,
      urls: (ports[index] ?? []).filter((_, at) => at % 3 === 1).map((port) => `ws://127.0.0.1:${port}`),
    }));
    const regions = await Promise.all(
      names.map((name, index) =>
        Region.plan({
          ...rest,
          name,
          folder: join(folder, name),
          nodes: sizes[index] ?? 3,
          ports: ports[index] ?? [],
          settings: {
            regions: contacts.filter(({ region }) => region !== name),
            ...(broker === null ? {} : { link, natsServers: [broker.url] }),
            ...settings,
          },
        }),
      ),
    );
    return new Cluster(folder, regions, broker);
  }

  /** null: the links are direct. */
  get broker(): NatsBroker | null {
    return this.#broker;
  }

  get nodes(): readonly RegionNode[] {
    return this.regions.flatMap(({ nodes }) => nodes);
  }

  region(index: number): Region {
    const found = this.regions[index];
    if (found === undefined) throw new Error(`there is no region ${index}`);
    return found;
  }

  others(region: Region): Region[] {
    return this.regions.filter((other) => other !== region);
  }

  /** All nodes that run answer consistent calls, and hear of every other region. */
  async joined(timeoutMs = 60_000): Promise<void> {
    await Promise.all(this.regions.map((region) => region.ready(timeoutMs)));
    await until(
      'the regions to hear of each other',
      async () => (await this.#statuses()).every((status) => status !== null && hearsAll(status, this.regions.length)),
      timeoutMs,
    );
  }

  /** Nothing passes between two regions until {@link heal}. Nodes that start later know nothing of it. */
  async cut(a: Region, b: Region): Promise<void> {
    await Promise.all([
      ...a.running.map((node) => node.cutRegions([b.name])),
      ...b.running.map((node) => node.cutRegions([a.name])),
    ]);
  }

  async isolate(region: Region): Promise<void> {
    for (const other of this.others(region)) await this.cut(region, other);
  }

  /** All cuts between regions, at all nodes that run. */
  async heal(): Promise<void> {
    const names = this.regions.map(({ name }) => name);
    await Promise.all(
      this.regions.flatMap(({ name, running }) =>
        running.map((node) => node.healRegions(names.filter((other) => other !== name))),
      ),
    );
  }

  /** Every running node has applied all that any region has committed, and holds nothing that is not promoted. */
  async isLevel(): Promise<boolean> {
    const statuses = await this.#statuses();
    const known = statuses.filter((status) => status !== null);
    return known.length === statuses.length && areLevel(known);
  }

  async level(timeoutMs = 60_000): Promise<void> {
    await until('all nodes to have applied the same', () => this.isLevel(), timeoutMs);
  }

  async describe(): Promise<string> {
    return (await Promise.all(this.regions.map((region) => region.describe()))).join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all(this.regions.map((region) => region.stop()));
    await this.#broker?.stop();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #statuses(): Promise<(Status | null)[]> {
    return Promise.all(this.regions.flatMap(({ running }) => running.map((node) => node.status())));
  }
}

function hearsAll({ regions }: Status, count: number): boolean {
  return regions.length === count && regions.every(({ state }) => state === 'self' || state === 'up');
}

/** By what each region says of its own log, and every node of what it has applied of it. */
function areLevel(statuses: readonly Status[]): boolean {
  const heads = new Map<string, number>();
  for (const { regions } of statuses) {
    for (const { region, partitions } of regions) {
      for (const [index, { applied }] of partitions.entries()) {
        const log = `${region} ${index}`;
        heads.set(log, Math.max(heads.get(log) ?? 0, applied));
      }
    }
  }
  return statuses.every(
    ({ regions, partitions }) =>
      partitions.every(
        ({ applied, commit, pending, leader }) => leader !== null && applied === commit && pending === 0,
      ) &&
      regions.every((region) =>
        region.partitions.every(({ applied }, index) => applied === heads.get(`${region.region} ${index}`)),
      ),
  );
}

/** Runs `use` with a cluster and ends it. Its folder stays, for its logs, when `use` fails or returns violations. */
export async function withCluster<T extends { readonly violations: readonly string[] }>(
  options: ClusterOptions,
  use: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const cluster = await Cluster.start(options);
  try {
    const result = await use(cluster);
    await cluster.stop();
    if (result.violations.length > 0) process.stderr.write(`  logs: ${cluster.folder}\n`);
    else cluster.remove();
    return result;
  } catch (error) {
    const states = await cluster.describe();
    await cluster.stop();
    throw new Error(`${(error as Error).message}\n${states}\nlogs: ${cluster.folder}`, { cause: error });
  }
}
