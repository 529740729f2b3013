import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../config.ts';
import type { Fatal } from '../fatal.ts';
import { startServer, type RunningServer } from '../server.ts';
import { silentLog } from './logs.ts';
import { freePorts } from './ports.ts';
import { until } from './until.ts';

export interface RegionNode {
  readonly name: string;
  readonly dataFolder: string;
  readonly ports: readonly [number, number, number];
  /** null while it does not run. */
  server: RunningServer | null;
}

/** A region of real nodes in this process: real replicas, disks and sockets. */
export class TestRegion {
  readonly nodes: RegionNode[] = [];
  readonly fatals: Fatal[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'skerry-region-'));
  readonly #options: Readonly<Record<string, unknown>>;

  private constructor(options: Readonly<Record<string, unknown>>) {
    this.#options = options;
  }

  static async start(names: readonly string[], options: Readonly<Record<string, unknown>> = {}): Promise<TestRegion> {
    const region = new TestRegion(options);
    for (const name of names) await region.add(name);
    await Promise.all(names.map((name) => region.startNode(name, { bootstrap: names })));
    return region;
  }

  /** A place for a node that does not run yet. */
  async add(name: string): Promise<RegionNode> {
    const node = { name, dataFolder: join(this.#folder, name), ports: await freePorts(), server: null };
    this.nodes.push(node);
    return node;
  }

  node(name: string): RegionNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  async startNode(name: string, options: Readonly<Record<string, unknown>>): Promise<RunningServer> {
    const node = this.node(name);
    const [clientPort, peerPort, adminPort] = node.ports;
    const config = loadConfig({
      file: {
        node: name,
        region: 'region-1',
        cluster: 'test',
        dataFolder: node.dataFolder,
        clientPort,
        peerPort,
        adminPort,
        peers: this.nodes
          .filter((other) => other !== node)
          .map((other) => ({ node: other.name, peerUrl: `ws://127.0.0.1:${other.ports[1]}` })),
        unsafeFaultInjection: true,
        ...this.#options,
        ...options,
      },
    });
    node.server = await startServer(config, { onFatal: (fatal) => this.fatals.push(fatal) }, { log: silentLog() });
    return node.server;
  }

  async kill(name: string): Promise<void> {
    const node = this.node(name);
    const { server } = node;
    node.server = null;
    await server?.kill();
  }

  running(): { readonly name: string; readonly server: RunningServer }[] {
    return this.nodes.flatMap(({ name, server }) => (server === null ? [] : [{ name, server }]));
  }

  /** The node that a majority of the running nodes takes for the leader of partition 0. */
  leader(): string | null {
    const votes = this.running().map(({ server }) => server.status().partitions[0]?.leader ?? null);
    const [first] = votes;
    return first !== undefined && votes.every((vote) => vote === first) ? first : null;
  }

  async untilLed(timeoutMs = 10_000): Promise<string> {
    await until(
      'all running nodes know one leader that runs',
      () => {
        const leader = this.leader();
        return leader !== null && this.node(leader).server !== null;
      },
      timeoutMs,
    );
    return this.leader() ?? '';
  }

  async set(
    name: string,
    key: string,
    value: string,
    query = '',
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    return this.#fetch(name, `/v1/kv/${key}?${query}`, { method: 'PUT', body: value });
  }

  async get(name: string, key: string, query = ''): Promise<unknown> {
    const { body } = await this.#fetch(name, `/v1/kv/${key}?${query}`, {});
    return body['value'];
  }

  async order(name: string, path: string, body: object): Promise<{ status: number; body: Record<string, unknown> }> {
    const url = (this.node(name).server?.adminUrl ?? '') + path;
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async adminStatus(name: string): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.node(name).server?.adminUrl}/status`);
    return (await response.json()) as Record<string, unknown>;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(async ({ server }) => server?.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #fetch(
    name: string,
    path: string,
    init: RequestInit,
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const url = this.node(name).server?.clientUrl.replace('ws:', 'http:') ?? '';
    const response = await fetch(url + path, init);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
}
