import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../packages/server/src/index.ts';
import { startServer, type RunningServer, type ServerParts } from '../../../packages/server/src/server.ts';
import { silentLog } from '../../../packages/server/src/testing/logs.ts';
import { TestClient } from '../../../packages/server/src/testing/test-client.ts';
import { until } from '../../../packages/server/src/testing/until.ts';
import { openStorage } from '../../../packages/storage-lmdb/src/index.ts';

/** Counters of the node, all by `code`. */
export type ErrorMetric =
  | 'client_request_errors_total'
  | 'client_goodbyes_total'
  | 'peer_refusals_total'
  | 'admin_request_errors_total';

export interface NodeOptions {
  /** Fields of the server's configuration, by which limits are made small. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The node is one of two voters, and the other one is not there. */
  readonly alone?: boolean;
  /** With less space left than this, its disk counts as full. */
  readonly reserveBytes?: number;
}

/** One node of its own, with its real disk and sockets, to be treated badly. */
export class ErrorNode {
  readonly server: RunningServer;
  readonly alone: boolean;
  readonly #folder: string;
  readonly #fatals: unknown[];
  readonly #clients: TestClient[] = [];

  private constructor(server: RunningServer, parts: { alone: boolean; folder: string; fatals: unknown[] }) {
    this.server = server;
    this.alone = parts.alone;
    this.#folder = parts.folder;
    this.#fatals = parts.fatals;
  }

  static async start({ config = {}, alone = false, reserveBytes }: NodeOptions = {}): Promise<ErrorNode> {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-errors-'));
    const dataFolder = join(folder, 'node');
    const fatals: unknown[] = [];
    const parts: ServerParts =
      reserveBytes === undefined
        ? {}
        : { openStorage: (events) => openStorage({ folder: dataFolder, events, reserveBytes }) };
    const server = await startServer(
      loadConfig({
        file: {
          node: 'a',
          region: 'region-1',
          cluster: 'test',
          dataFolder,
          bootstrap: alone ? ['a', 'b'] : ['a'],
          // Nobody listens at the discard port.
          peers: alone ? [{ node: 'b', peerUrl: 'ws://127.0.0.1:9' }] : [],
          clientPort: 0,
          peerPort: 0,
          adminPort: 0,
          ...config,
        },
      }),
      { onFatal: (fatal) => fatals.push(fatal) },
      { log: silentLog(), ...parts },
    );
    const node = new ErrorNode(server, { alone, folder, fatals });
    if (!alone) {
      await until('the node leads itself and has announced its address', () => {
        const [partition] = server.status().partitions;
        return server.status().partitions.every(({ leader }) => leader === 'a') && (partition?.applied ?? 0) >= 4;
      });
    }
    return node;
  }

  get httpUrl(): string {
    return this.server.clientUrl.replace('ws:', 'http:');
  }

  /** A client that speaks the protocol by hand. */
  async client(options: { readonly greet?: boolean; readonly autoPong?: boolean } = {}): Promise<TestClient> {
    const { greet = true, autoPong = true } = options;
    const client = await (greet ? TestClient.greeted : TestClient.open)(this.server.clientUrl, { autoPong });
    this.#clients.push(client);
    return client;
  }

  /** How often the node has counted this code. */
  async count(metric: ErrorMetric, code: string): Promise<number> {
    const text = await (await fetch(`${this.server.adminUrl}/metrics`)).text();
    const line = text
      .split('\n')
      .find((candidate) => candidate.startsWith(`skerry_${metric}{`) && candidate.includes(`code="${code}"`));
    return line === undefined ? 0 : Number(line.split(' ').at(-1));
  }

  /** Fails unless the node still does its work: all of it, or what a node without a quorum or without space can do. */
  async mustGoOn({ writes = true } = {}): Promise<void> {
    if (this.#fatals.length > 0) throw new Error('the node has stopped', { cause: this.#fatals[0] });
    const client = await this.client();
    const consistent = !this.alone;
    const key = 'goes-on';
    const id = { client: newClientId(), sequence: 1, answeredBelow: 1, retry: false };
    const operations = [
      ...(writes ? [{ kind: 'set', key, value: Uint8Array.of(1), consistent } as const] : []),
      { kind: 'get', key, consistent } as const,
      { kind: 'status' } as const,
    ];
    for (const [requestId, operation] of operations.entries()) {
      client.request(requestId, operation, operation.kind === 'set' ? (id as never) : undefined);
      await until('the node to answer another client', () => client.of('answer').length > requestId);
      const answer = client.of('answer')[requestId]?.answer;
      if (answer?.kind === 'error') throw new Error(`another client is answered ${answer.code}: ${answer.detail}`);
      if (answer?.kind === 'key' && !answer.valid) throw new Error('another client is answered with a timeout');
    }
    client.socket.terminate();
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.socket.terminate();
    await this.server.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

let lastClient = 0;

/** A session that is not used yet; made now unless its time of birth is given. */
export function newClientId(bornMs: number = Date.now()): string {
  return bornMs.toString(16).padStart(12, '0') + (++lastClient).toString(16).padStart(20, '0');
}
