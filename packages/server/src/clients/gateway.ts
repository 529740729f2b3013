import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NodeId, RegionId } from '@skerry/base';
import {
  encodeFrame,
  errorEntry,
  type ErrorCode,
  protocolVersion,
  type SeenMessage,
  type ServerMessage,
} from '@skerry/protocol';
import type { DirectoryEntry, NodeStatus, RegionDirectoryEntry, ReplicaLimits, Seen } from '@skerry/replica';
import { WebSocketServer } from 'ws';
import type { ClientLimits } from '../limits.ts';
import type { OpenRequests } from '../requests.ts';
import { ClientConnection, type ConnectionHost } from './connection.ts';
import { MembersView } from './members.ts';
import { SeenView } from './seen.ts';

export interface ClientGatewayOptions {
  readonly cluster: string;
  readonly region: RegionId;
  readonly node: NodeId;
  readonly partitionCount: number;
  readonly limits: ClientLimits;
  readonly replicaLimits: ReplicaLimits;
  readonly requests: OpenRequests;
  /** Births of client ids are taken from it. */
  readonly clusterNowMs: () => number;
}

/** How often connections are looked at. */
const checkMs = 250;
/** ws refuses a frame by its header above this many times the limit; below, the client is told by a goodbye. */
const frameSlack = 2;
const paths: ReadonlySet<string> = new Set(['/', '/v1/ws']);

/** All clients that are connected by WebSocket. */
export class ClientGateway implements ConnectionHost {
  readonly #options: ClientGatewayOptions;
  readonly #sockets: WebSocketServer;
  readonly #connections = new Set<ClientConnection>();
  #touched = new Set<ClientConnection>();
  readonly #members: MembersView;
  readonly #seen: SeenView = new SeenView();
  /** Runs while there are connections to look at: an idle node is not woken up for nothing. */
  #checker: NodeJS.Timeout | undefined;
  #checkedAtMs = 0;
  /** Until the node takes part, and from when it stops. */
  #refusing = true;
  /** Requests by operation, error answers and goodbyes by code, since the start. */
  readonly requestCounts: Map<string, number> = new Map();
  readonly errorCounts: Map<string, number> = new Map();
  readonly goodbyeCounts: Map<string, number> = new Map();

  constructor(options: ClientGatewayOptions) {
    this.#options = options;
    this.#members = new MembersView(options.region, options.partitionCount);
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: frameSlack * options.limits.frameBytesMax,
      perMessageDeflate: false,
      clientTracking: false,
    });
  }

  get cluster(): string {
    return this.#options.cluster;
  }

  get limits(): ClientLimits {
    return this.#options.limits;
  }

  get requests(): OpenRequests {
    return this.#options.requests;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  start(): void {
    this.#refusing = false;
  }

  /** An HTTP client wants to go on by WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (!paths.has(path)) refuseUpgrade(socket, 'NOT_FOUND');
    else if (this.#refusing) refuseUpgrade(socket, 'STOPPING');
    else if (this.#connections.size >= this.limits.connectionsMax) {
      this.countGoodbye('OVERLOADED');
      refuseUpgrade(socket, 'OVERLOADED');
    } else {
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.#connections.add(new ClientConnection(webSocket, this));
        if (this.#checker !== undefined) return;
        this.#checkedAtMs = performance.now();
        this.#checker = setInterval(() => this.#check(), checkMs);
      });
    }
  }

  /** Answers of the turn have been handed out: one frame per connection that has any. */
  endTurn(): void {
    if (this.#touched.size === 0) return;
    const touched = this.#touched;
    this.#touched = new Set();
    for (const connection of touched) connection.flush();
  }

  /** The directory, a role or a leader changed. */
  setDirectory(entries: readonly DirectoryEntry[], status: NodeStatus): void {
    this.#members.set(entries, status);
    this.#sendMembers();
  }

  /** A region, or one of its addresses, came or went. */
  setRegions(entries: readonly RegionDirectoryEntry[]): void {
    this.#members.setRegions(entries);
    this.#sendMembers();
  }

  /** What the node has applied; called before the answers of a turn are handed out, since they rest on it. */
  setSeen(seen: Seen): void {
    this.#seen.set(seen);
  }

  seenVersion(): number {
    return this.#seen.version;
  }

  seenSince(version: number): SeenMessage {
    return this.#seen.since(version);
  }

  /**
   * A planned stop: requests that are open are answered, then clients are told to move. After `drainMs` they are told
   * whatever is open.
   */
  async stop(drainMs: number): Promise<void> {
    this.#refusing = true;
    for (const connection of this.#connections) connection.stop();
    const deadlineMs = performance.now() + drainMs;
    while (this.#connections.size > 0 && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const connection of this.#connections) connection.goodbye('STOPPING', 'the node is shutting down');
    this.#stopChecking();
    this.#sockets.close();
  }

  /** Ends everything without a word. */
  terminate(): void {
    this.#refusing = true;
    this.#stopChecking();
    for (const connection of this.#connections) connection.terminate();
  }

  welcome(): ServerMessage {
    const { cluster, region, node, partitionCount, limits, replicaLimits } = this.#options;
    const { members, leaders, regions } = this.#members.message;
    return {
      kind: 'welcome',
      protocolVersion,
      cluster,
      region,
      node,
      partitionCount,
      nowMs: this.#options.clusterNowMs(),
      limits: {
        keyBytesMax: replicaLimits.keyBytesMax,
        valueBytesMax: replicaLimits.valueBytesMax,
        txnOperationsMax: replicaLimits.txnOperationsMax,
        listLimitMax: replicaLimits.listLimitMax,
        frameBytesMax: limits.frameBytesMax,
        requestsOpenMax: limits.requestsOpenMax,
      },
      members,
      leaders,
      regions,
    };
  }

  touched(connection: ClientConnection): void {
    // What a connection says outside a turn's answers (refusals) is sent at the end of this turn, too.
    if (this.#touched.size === 0) setImmediate(() => this.endTurn());
    this.#touched.add(connection);
  }

  countRequest(operation: string): void {
    increment(this.requestCounts, operation);
  }

  countError(code: ErrorCode): void {
    increment(this.errorCounts, code);
  }

  countGoodbye(code: ErrorCode): void {
    increment(this.goodbyeCounts, code);
  }

  ended(connection: ClientConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#stopChecking();
  }

  #stopChecking(): void {
    clearInterval(this.#checker);
    this.#checker = undefined;
  }

  #sendMembers(): void {
    if (this.#connections.size === 0) return;
    const frame = encodeFrame([this.#members.message]);
    for (const connection of this.#connections) connection.sendFrame(frame);
  }

  #check(): void {
    const nowMs = performance.now();
    // After a pause of this process, what the clients sent meanwhile has not been read yet: look again next time.
    const paused = nowMs - this.#checkedAtMs > 2 * checkMs;
    this.#checkedAtMs = nowMs;
    if (paused) return;
    for (const connection of this.#connections) connection.check(nowMs);
  }
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function refuseUpgrade(socket: Duplex, code: ErrorCode): void {
  const { text, httpStatus } = errorEntry(code);
  const body = JSON.stringify({ title: text, status: httpStatus, code });
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${httpStatus} ${code}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
