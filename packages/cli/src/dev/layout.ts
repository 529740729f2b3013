import { resolve } from 'node:path';
import { CliError } from '../exit-code.ts';

export type LinkKind = 'direct' | 'nats';

/** What `skerry dev` was asked for. */
export interface DevOptions {
  /** Nodes of each region, in order: [5, 3, 1] is three regions. */
  readonly sizes: readonly number[];
  readonly link: LinkKind;
  readonly partitions: number;
  readonly dataDir: string;
  readonly basePort: number;
}

/** Where one node of the dev cluster listens and keeps its data. Every address is on the loopback interface. */
export interface DevNode {
  readonly name: string;
  readonly region: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly adminPort: number;
  readonly dataDir: string;
  readonly logFile: string;
}

export interface DevRegion {
  readonly name: string;
  readonly nodes: readonly DevNode[];
}

export const devCluster = 'skerry-dev';
const host = '127.0.0.1';

/** Ports of one region lie within 100, those of one node within 10: nine nodes per region fit. */
const nodesMax = 9;

/** Region r, node n (both from 1) listens at base + 100·r + 10·n, +1 for peers, +2 for administration; DESIGN section 8. */
export function planDevCluster(options: DevOptions): DevRegion[] {
  requireInteger('--regions', options.sizes.length, 1, 99);
  for (const size of options.sizes) requireInteger('--nodes', size, 1, nodesMax);
  requireInteger('--partitions', options.partitions, 1, 1_024);
  requireInteger('--base-port', options.basePort, 1, 65_535);
  const portMax = Math.max(...options.sizes.map((size, i) => options.basePort + 100 * (i + 1) + 10 * size + 2));
  if (portMax > 65_535)
    throw new CliError(`the last node would listen at port ${portMax}, above 65535: choose a lower --base-port`);

  const data = resolve(options.dataDir);
  return options.sizes
    .map((size, i) => ({ size, r: i + 1 }))
    .map(({ size, r }) => ({
      name: `region-${r}`,
      nodes: range(size).map((n) => {
        const name = `region-${r}-${n}`;
        const clientPort = options.basePort + 100 * r + 10 * n;
        return {
          name,
          region: `region-${r}`,
          clientPort,
          peerPort: clientPort + 1,
          adminPort: clientPort + 2,
          dataDir: resolve(data, name),
          logFile: resolve(data, `${name}.log`),
        };
      }),
    }));
}

export function clientUrl(node: DevNode): string {
  return `ws://${host}:${node.clientPort}`;
}

export function peerUrl(node: DevNode): string {
  return `ws://${host}:${node.peerPort}`;
}

/** Where the NATS server of a cluster with `--link nats` listens: below the ports of all regions. */
export function natsPort(options: Pick<DevOptions, 'basePort'>): number {
  return options.basePort + 3;
}

export function adminUrl(node: DevNode): string {
  return `http://${host}:${node.adminPort}`;
}

/** The object that `skerry dev -o json` prints on one line when the cluster can be used. */
export function readyReport(regions: readonly DevRegion[]): object {
  return {
    ready: true,
    regions: regions.map((region) => ({
      name: region.name,
      nodes: region.nodes.map((node) => ({ name: node.name, client: clientUrl(node), admin: adminUrl(node) })),
    })),
  };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

function requireInteger(flag: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new CliError(`${flag} must be a whole number from ${min} to ${max}`);
  }
}
