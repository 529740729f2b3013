import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nodeId, regionId, type NodeId } from '@skerry/base';
import type { ErrorCode } from '@skerry/protocol';
import type { DirectoryEntry, NodeStatus, Storage } from '@skerry/replica';
import type { LmdbStorage } from '@skerry/storage-lmdb';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { makeAdminFace } from './admin/face.ts';
import { Metrics } from './admin/metrics.ts';
import { BackgroundScrub } from './background.ts';
import { ClientGateway } from './clients/gateway.ts';
import type { ServerConfig } from './config.ts';
import type { Fatal } from './fatal.ts';
import { HttpFace } from './http/face.ts';
import { TurnLoop } from './loop.ts';
import { peerProtocolVersion } from './peers/handshake.ts';
import { Incarnations } from './peers/incarnations.ts';
import type { PeerListener, Upgrade } from './peers/listener.ts';
import { PeerMesh } from './peers/mesh.ts';
import { cryptoRandom, randomProcessId } from './random.ts';
import { RegionLinks, type MakeLink } from './region-link.ts';
import { readClocks, type ReplicaLike } from './replica-like.ts';
import { OpenRequests } from './requests.ts';

/** What the server needs of storage beyond the replica's port. */
export type NodeStorage = Storage & Pick<LmdbStorage, 'identity' | 'stats' | 'scrub' | 'pendingForMs'>;

export interface Urls {
  readonly clientUrl: string;
  readonly peerUrl: string;
  readonly adminUrl: string;
}

export interface NodeServerParts {
  readonly config: ServerConfig;
  readonly version: string;
  readonly storage: NodeStorage;
  readonly log: Logger;
  readonly makeLink: MakeLink;
  readonly onFatal: (fatal: Fatal) => void;
}

/** How long handing over leadership may take of a planned stop. */
const handOverMsMax = 1_000;

/**
 * All parts of one node but its replica, which is made last, since it announces the addresses that listening has fixed.
 * Until then clients are refused.
 */
export class NodeServer {
  readonly #parts: NodeServerParts;
  readonly #requests: OpenRequests;
  readonly #gateway: ClientGateway;
  readonly #http: HttpFace;
  readonly #admin: FastifyInstance;
  readonly #scrub: BackgroundScrub;
  readonly #node: NodeId;
  readonly #adminErrorCounts: Map<ErrorCode, number> = new Map();
  #replica: ReplicaLike | null = null;
  #loop: TurnLoop | null = null;
  #mesh: PeerMesh | null = null;
  #links: RegionLinks | null = null;
  #peerListener: PeerListener | null = null;
  #directory: readonly DirectoryEntry[] = [];
  #urls: Urls = { clientUrl: '', peerUrl: '', adminUrl: '' };
  #stopped: Promise<void> | null = null;
  /** What was told before the loop was there. */
  #storageFull = false;
  #failure: unknown = null;

  constructor(parts: NodeServerParts) {
    this.#parts = parts;
    const { config, storage, log, version } = parts;
    this.#node = nodeId(config.node);
    this.#requests = new OpenRequests({
      request: (handle, request) => this.#loop?.request(handle, request),
      cancel: (handle) => this.#loop?.cancel(handle),
      watchReady: (handle) => this.#loop?.watchReady(handle),
    });
    // Nobody is greeted or served before the loop is there.
    const clusterNowMs = (): number => this.#loop?.clusterNowMs() ?? 0;
    const { partitions: partitionCount, clientLimits } = config;
    this.#gateway = new ClientGateway({
      cluster: config.cluster,
      region: regionId(config.region),
      node: this.#node,
      partitionCount,
      limits: clientLimits,
      replicaLimits: config.limits,
      requests: this.#requests,
      clusterNowMs,
    });
    this.#http = new HttpFace({
      version,
      partitionCount,
      limits: { ...clientLimits, valueBytesMax: config.limits.valueBytesMax },
      requests: this.#requests,
      clusterNowMs,
      seen: () => this.#replica?.seen() ?? { version: -1, partitions: [] },
      log,
      countRequest: (operation) => this.#gateway.countRequest(operation),
      countError: (code) => this.#gateway.countError(code),
    });
    this.#http.app.server.on('upgrade', (request, socket, head) => this.#gateway.upgrade(request, socket, head));
    this.#admin = makeAdminFace({
      log,
      requests: this.#requests,
      metrics: this.#makeMetrics(),
      status: () => this.status(),
      describe: () => this.#describe(),
      members: () => this.#directory,
      regions: () => this.#replica?.regions() ?? [],
      maxClockSkewMs: config.timing.maxClockSkewMs,
      countError: (code) => this.#adminErrorCounts.set(code, (this.#adminErrorCounts.get(code) ?? 0) + 1),
      stopping: () => this.#stopped !== null,
      faults: config.unsafeFaultInjection
        ? {
            cut: (node) => this.#mesh?.cut(node),
            heal: (node) => this.#mesh?.heal(node),
            cutNodes: () => this.#mesh?.cutNodes() ?? [],
            cutRegion: (region) => this.#links?.cut(region),
            healRegion: (region) => this.#links?.heal(region),
            cutRegions: () => this.#links?.cutRegions() ?? [],
          }
        : null,
    });
    this.#scrub = new BackgroundScrub({
      scrub: (options) => storage.scrub(options),
      intervalMs: config.scrubIntervalMs,
      onFailure: (cause) => this.fail(cause),
    });
  }

  get urls(): Urls {
    return this.#urls;
  }

  get mesh(): PeerMesh | null {
    return this.#mesh;
  }

  /** Takes connections from other regions; null: none are taken, or not yet. */
  get linkUpgrade(): Upgrade | null {
    return this.#links?.upgrade ?? null;
  }

  /** Opens the ports; returns what the replica is to announce. */
  async listen(peerListener: PeerListener): Promise<Urls> {
    const { config } = this.#parts;
    this.#peerListener = peerListener;
    await this.#http.app.listen({ host: config.host, port: config.clientPort });
    await this.#admin.listen({ host: config.host, port: config.adminPort });
    const at = (port: number): string => `${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
    this.#urls = {
      clientUrl: config.advertiseClientUrl ?? `ws://${at(portOf(this.#http.app.server))}`,
      peerUrl: config.advertisePeerUrl ?? `ws://${at(peerListener.port)}`,
      adminUrl: config.advertiseAdminUrl ?? `http://${at(portOf(this.#admin.server))}`,
    };
    return this.#urls;
  }

  /** Begins to take part. */
  start(replica: ReplicaLike): void {
    const { config, storage, log } = this.#parts;
    this.#replica = replica;
    const loop = new TurnLoop({
      replica,
      storage,
      readClocks,
      tickMs: config.timing.tickMs,
      send: (to, messages) => this.#mesh?.send(to, messages),
      answer: (answers) => {
        this.#gateway.setSeen(replica.seen());
        this.#requests.deliver(answers);
        this.#gateway.endTurn();
      },
      link: (effects) => this.#links?.carryOut(effects),
      onDirectory: (entries) => this.#setDirectory(entries),
      onRegions: (entries) => {
        this.#links?.setRegions(entries);
        this.#gateway.setRegions(entries);
      },
      onFatal: (fatal) => this.#die(fatal),
    });
    this.#loop = loop;
    this.#mesh = new PeerMesh({
      own: {
        peerProtocolVersion,
        cluster: config.cluster,
        region: regionId(config.region),
        node: this.#node,
        replica: storage.identity.replica,
        partitionCount: config.partitions,
        process: randomProcessId(),
      },
      contacts: config.peers
        .filter(({ node }) => node !== config.node)
        .map(({ node, peerUrl }) => ({ node: nodeId(node), peerUrl })),
      incarnations: new Incarnations(storage),
      limits: config.peerLimits,
      events: loop,
      random: cryptoRandom(),
      log,
    });
    this.#links = new RegionLinks((events) => this.#parts.makeLink(config, events, log), loop.linkEvents);
    loop.start();
    this.#mesh.start();
    this.#scrub.start();
    if (this.#storageFull) loop.setStorageFull(true);
    if (this.#failure !== null) loop.fail(this.#failure);
    this.#gateway.setSeen(replica.seen());
    this.#gateway.start();
    this.#http.start();
  }

  status(): NodeStatus {
    return this.#replica?.status() ?? { node: this.#node, partitions: [], storageFull: this.#storageFull, peers: [] };
  }

  setStorageFull(full: boolean): void {
    this.#storageFull = full;
    this.#parts.log.warn({ full }, full ? 'the disk is full: writes are refused' : 'there is space on the disk again');
    this.#loop?.setStorageFull(full);
  }

  /** Stops the node at once; see {@link Fatal}. */
  fail(cause: unknown): void {
    this.#failure ??= cause;
    this.#loop?.fail(cause);
  }

  /** A planned stop: leadership goes to others, clients are answered and told to move, what is queued is made durable. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Ends all connections without a word and closes storage: a start that failed, or a crash in a test. */
  async terminate(): Promise<void> {
    this.#stopped ??= Promise.resolve();
    this.#endConnections();
    await this.#parts.storage.close();
  }

  async #stop(): Promise<void> {
    const { config, log } = this.#parts;
    const startedMs = performance.now();
    const leftMs = (): number => Math.max(0, config.stopMsMax - (performance.now() - startedMs));
    log.info('stopping: handing over leadership');
    await this.#handOver(Math.min(handOverMsMax, leftMs()));
    await Promise.all([this.#gateway.stop(leftMs()), this.#http.stop(leftMs())]);
    this.#scrub.stop();
    this.#peerListener?.close();
    this.#loop?.prepareStop();
    this.#mesh?.stop();
    this.#loop?.stop();
    await Promise.all([this.#links?.close(), this.#admin.close(), this.#parts.storage.close()]);
    log.info({ tookMs: Math.round(performance.now() - startedMs) }, 'stopped');
  }

  /** Waits until this node leads nothing, if anyone else could. */
  async #handOver(msMax: number): Promise<void> {
    const leads = (): boolean =>
      this.status().partitions.some(({ leader, voters }) => leader === this.#node && voters.length > 1);
    if (!leads()) return;
    this.#requests.ask({
      operation: { kind: 'transferLeadership', partition: null, to: null },
      timeoutMs: Math.ceil(msMax),
    });
    const deadlineMs = performance.now() + msMax;
    while (leads() && this.#loop?.stopped === false && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (leads()) this.#parts.log.warn('leadership could not be handed over in time');
  }

  #die(fatal: Fatal): void {
    this.#parts.log.fatal({ kind: fatal.kind, exitCode: fatal.exitCode }, fatal.message);
    this.#stopped ??= Promise.resolve();
    this.#endConnections();
    this.#parts.onFatal(fatal);
  }

  #endConnections(): void {
    this.#scrub.stop();
    this.#loop?.stop();
    this.#gateway.terminate();
    this.#peerListener?.close();
    this.#mesh?.terminate();
    this.#links?.terminate();
    void this.#http.terminate();
    void this.#admin.close();
    this.#admin.server.closeAllConnections();
  }

  #setDirectory(entries: readonly DirectoryEntry[]): void {
    this.#directory = entries;
    this.#mesh?.setDirectory(entries);
    this.#gateway.setDirectory(entries, this.status());
  }

  #describe(): object {
    const { config, version, storage } = this.#parts;
    const { replica, incarnation } = storage.identity;
    return {
      version,
      cluster: config.cluster,
      region: config.region,
      replica,
      incarnation,
      ...this.#urls,
      uptimeSeconds: Math.round(process.uptime()),
      stopping: this.#stopped !== null,
      clients: this.#gateway.connectionCount,
      connectedPeers: this.#mesh?.connected() ?? [],
      cut: this.#mesh?.cutNodes() ?? [],
      link: config.link,
      links: this.#links?.describe() ?? [],
      cutRegions: this.#links?.cutRegions() ?? [],
      storagePendingMs: Math.round(storage.pendingForMs()),
    };
  }

  #makeMetrics(): Metrics {
    const { config, storage } = this.#parts;
    const gateway = this.#gateway;
    return new Metrics({
      labels: { region: config.region, node: config.node },
      status: () => this.status(),
      regions: () => this.#replica?.regions() ?? [],
      conflicts: () => this.#replica?.conflictCounts() ?? [],
      storage: () => storage.stats(),
      numbers: () => ({
        ...this.#replica?.metrics(),
        ...this.#mesh?.metrics(),
        ...this.#links?.metrics(),
        client_connections: gateway.connectionCount,
        http_watches: this.#http.watchCount,
        client_requests_open: this.#requests.count,
        loop_turns_total: this.#loop?.turns ?? 0,
        storage_batches_open: this.#loop?.batchesOpen ?? 0,
        storage_pending_seconds: storage.pendingForMs() / 1_000,
        storage_records_scrubbed_total: this.#scrub.recordsChecked,
      }),
      counts: () => [
        {
          name: 'client_requests_total',
          label: 'operation',
          help: 'Requests of clients and HTTP, by operation.',
          counts: gateway.requestCounts,
        },
        {
          name: 'client_request_errors_total',
          label: 'code',
          help: 'Requests answered with an error, by code.',
          counts: gateway.errorCounts,
        },
        {
          name: 'client_goodbyes_total',
          label: 'code',
          help: 'Client connections ended by this node, by code.',
          counts: gateway.goodbyeCounts,
        },
        {
          name: 'admin_request_errors_total',
          label: 'code',
          help: 'Requests to the admin port answered with an error, by code; a node that is not ready is one.',
          counts: this.#adminErrorCounts,
        },
        {
          name: 'peer_refusals_total',
          label: 'code',
          help: 'Handshakes between nodes that failed, by code.',
          counts: this.#mesh?.refusals() ?? new Map(),
        },
        {
          name: 'link_refusals_total',
          label: 'code',
          help: 'Connections refused to nodes of other regions, by code.',
          counts: this.#links?.refusals() ?? new Map(),
        },
      ],
    });
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
