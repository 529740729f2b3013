import {
  decodeClientFrame,
  encodeFrame,
  frameBytesMaxDefault,
  protocolVersion,
  type Answer,
  type ClientMessage,
  type HelloMessage,
  type RegionClients,
  type RequestMessage,
  type ServerMessage,
  type WelcomeMessage,
} from '@skerry/protocol';
import { connectWith, type ConnectOptions } from '../connect.ts';
import type { Client } from '../client.ts';
import { FakeHost, type ServerSocket } from './fake-host.ts';

/** A request as it arrived, and the means to answer it. */
export interface Arrived {
  readonly node: string;
  readonly request: RequestMessage;
  readonly answer: (answer: Answer) => void;
}

/** Nodes `a`, `b`, … at `ws://a/` and so on, which do what a test tells them; by default they only say welcome. */
export class FakeCluster {
  readonly host: FakeHost;
  /** Nodes that do not take connections. */
  readonly dead = new Set<string>();
  /** Nodes that take them and then say nothing at all. */
  readonly silent = new Set<string>();
  /** Nodes that say welcome and answer no ping. */
  readonly mute = new Set<string>();
  readonly dials: string[] = [];
  readonly frames: ClientMessage[][] = [];
  readonly requests: Arrived[] = [];
  readonly cancelled: number[] = [];
  /** How long what a node says is under way, milliseconds; 0 unless given. */
  readonly delaysMs = new Map<string, number>();
  /** Nodes that know of no leader. */
  readonly leaderless = new Set<string>();
  /** What nodes tell of regions; by name their nodes. */
  readonly layout: Readonly<Record<string, readonly string[]>>;
  readonly #sockets = new Map<string, Set<ServerSocket>>();
  /** Answers at once; undefined leaves the request open. */
  onRequest: (arrived: Arrived) => Answer | undefined = () => undefined;
  welcome: (node: string, hello: HelloMessage) => ServerMessage = (node) => this.welcomeOf(node);

  constructor(layout: Readonly<Record<string, readonly string[]>> = {}) {
    this.host = new FakeHost();
    this.layout = layout;
    this.host.onDial = (socket) => {
      this.#accept(socket);
    };
  }

  /** region-1, unless the layout says otherwise. */
  regionOf(node: string): string {
    return Object.entries(this.layout).find(([, nodes]) => nodes.includes(node))?.[0] ?? 'region-1';
  }

  /** All nodes of a region. */
  nodesOf(region: string): readonly string[] {
    return this.layout[region] ?? [];
  }

  get regionClients(): RegionClients[] {
    return Object.entries(this.layout).map(([region, nodes]) => ({
      region: region as never,
      clientUrls: nodes.map((node) => `ws://${node}`),
    }));
  }

  /** A region goes down as killed processes do: connections end, and no new ones are taken. */
  kill(region: string): void {
    for (const node of this.nodesOf(region)) {
      this.dead.add(node);
      this.cut(node);
    }
  }

  /** A region cannot be reached any more: nothing comes from it, not even that it is gone. */
  blackHole(region: string): void {
    for (const node of this.nodesOf(region)) this.silent.add(node);
  }

  revive(region: string): void {
    for (const node of this.nodesOf(region)) {
      this.dead.delete(node);
      this.silent.delete(node);
    }
  }

  welcomeOf(node: string, change: Partial<WelcomeMessage> = {}): WelcomeMessage {
    const leader = this.leaderless.has(node) ? null : ('l' as never);
    return {
      kind: 'welcome',
      protocolVersion,
      cluster: 'test',
      region: this.regionOf(node) as never,
      node: node as never,
      partitionCount: 4,
      nowMs: 1_700_000_000_000,
      limits: {
        keyBytesMax: 1_024,
        valueBytesMax: 524_288,
        txnOperationsMax: 512,
        frameBytesMax: frameBytesMaxDefault,
        requestsOpenMax: 20_000,
        listLimitMax: 1_000,
      },
      members: [],
      leaders: [leader, leader, leader, leader],
      regions: this.regionClients,
      ...change,
    };
  }

  async connect(options: Partial<ConnectOptions> = {}): Promise<Client> {
    const client = connectWith(this.host, { endpoints: ['ws://a', 'ws://b'], ...options });
    // A rejection is looked at by whoever awaits.
    client.catch(() => {});
    await this.host.settle();
    return client;
  }

  /** The last request that arrived. */
  get last(): Arrived {
    const arrived = this.requests.at(-1);
    if (arrived === undefined) throw new Error('no request arrived');
    return arrived;
  }

  /** Ends all connections of `node`. */
  cut(node: string): void {
    for (const socket of this.#sockets.get(node) ?? []) socket.cut();
    this.#sockets.delete(node);
  }

  /** Connections that are open to nodes of a region. */
  openAt(region: string): number {
    return this.nodesOf(region).reduce((sum, node) => sum + (this.#sockets.get(node)?.size ?? 0), 0);
  }

  send(node: string, ...messages: ServerMessage[]): void {
    for (const socket of this.#sockets.get(node) ?? []) socket.send(encodeFrame(messages).slice());
  }

  sendRaw(node: string, bytes: Uint8Array): void {
    for (const socket of this.#sockets.get(node) ?? []) socket.send(bytes);
  }

  #accept(socket: ServerSocket): void {
    const node = new URL(socket.url).hostname;
    this.dials.push(node);
    if (this.dead.has(node)) {
      socket.cut('refused');
      return;
    }
    const sockets = this.#sockets.get(node) ?? new Set();
    this.#sockets.set(node, sockets.add(socket));
    socket.onClose = () => {
      sockets.delete(socket);
    };
    socket.onFrame = (bytes) => {
      if (this.silent.has(node)) return;
      const messages = decodeClientFrame(bytes) as ClientMessage[];
      this.frames.push(messages);
      for (const message of messages) this.#take(node, socket, message);
    };
    socket.open();
  }

  #take(node: string, socket: ServerSocket, message: ClientMessage): void {
    const send = (answer: ServerMessage): void => {
      const delayMs = this.delaysMs.get(node) ?? 0;
      const frame = encodeFrame([answer]).slice();
      if (delayMs === 0) socket.send(frame);
      else
        this.host.setTimer(delayMs, () => {
          socket.send(frame);
        });
    };
    switch (message.kind) {
      case 'hello':
        send(this.welcome(node, message));
        return;
      case 'ping':
        if (!this.mute.has(node)) send({ kind: 'pong', nonce: message.nonce });
        return;
      case 'cancel':
        this.cancelled.push(message.requestId);
        return;
      case 'request': {
        const arrived: Arrived = {
          node,
          request: message,
          answer: (answer) => {
            send({ kind: 'answer', requestId: message.requestId, answer });
          },
        };
        this.requests.push(arrived);
        const answer = this.onRequest(arrived);
        if (answer !== undefined) arrived.answer(answer);
      }
    }
  }
}

export const applied: Answer = {
  kind: 'key',
  valid: true,
  timeout: false,
  value: null,
  version: '0'.repeat(27) + '1',
  outcome: 'applied',
};

export function keyAnswer(change: Partial<Extract<Answer, { kind: 'key' }>>): Answer {
  return { kind: 'key', valid: true, timeout: false, value: null, version: null, ...change };
}

export function errorAnswer(code: Extract<Answer, { kind: 'error' }>['code'], ticket?: string): Answer {
  return { kind: 'error', code, detail: 'told by the test', ...(ticket === undefined ? {} : { ticket }) };
}

/** What a promise came to, without waiting for it. */
export function track<T>(promise: Promise<T>): { value?: T; error?: unknown; done: boolean } {
  const state: { value?: T; error?: unknown; done: boolean } = { done: false };
  promise.then(
    (value) => Object.assign(state, { value, done: true }),
    (error: unknown) => Object.assign(state, { error, done: true }),
  );
  return state;
}
