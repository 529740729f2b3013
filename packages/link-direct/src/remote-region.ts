import type { Random, RegionId } from '@skerry/base';
import type { WebSocket } from 'ws';
import { LinkConnection } from './connection.ts';
import type { LinkCounters } from './counters.ts';
import { RegionDialler } from './dialler.ts';
import type { LinkHello, LinkRefusal } from './hello.ts';
import type { DirectLinkLimits } from './limits.ts';

export interface RemoteRegionOptions {
  readonly region: RegionId;
  readonly own: LinkHello;
  readonly limits: DirectLinkLimits;
  readonly random: Random;
  readonly counters: LinkCounters;
  readonly onFrame: (from: RegionId, frame: Uint8Array) => void;
  /** {@link RemoteRegion.up} may have changed. */
  readonly onChange: (region: RemoteRegion) => void;
  /** Something for the log. */
  readonly note: (fields: Readonly<Record<string, unknown>>, text: string) => void;
}

/**
 * What one node has to do with one other region: the connection to whichever of its nodes greeted first, and those
 * that its nodes made. All frames go out on one of them as long as that lasts, for two would not keep their order.
 */
export class RemoteRegion {
  readonly region: RegionId;
  readonly #options: RemoteRegionOptions;
  readonly #dialler: RegionDialler;
  #dialled: LinkConnection | null = null;
  /** By the name of the node that dialled, which has one connection at a time: a second one replaces the first. */
  readonly #accepted: Map<string, LinkConnection> = new Map();
  #sender: LinkConnection | null = null;
  #cut = false;
  #stopped = false;
  /** The last refusal noted, by contact, so that it is said once though dialling goes on. */
  readonly #noted: Map<string, string> = new Map();

  constructor(options: RemoteRegionOptions) {
    this.#options = options;
    this.region = options.region;
    this.#dialler = new RegionDialler({
      ...options,
      onOpen: (socket, hello, url) => this.#opened(socket, hello, url),
      onRefused: (url, refusal) => this.#refused(url, refusal),
    });
  }

  get up(): boolean {
    return this.#sender !== null;
  }

  get isCut(): boolean {
    return this.#cut;
  }

  get connections(): LinkConnection[] {
    return [...(this.#dialled === null ? [] : [this.#dialled]), ...this.#accepted.values()];
  }

  /** The address or the name of the node that frames go to; null: none. */
  get via(): string | null {
    return this.#sender === null ? null : `${this.#sender.hello.region}/${this.#sender.hello.node}`;
  }

  setContacts(urls: readonly string[]): void {
    this.#dialler.setContacts(urls);
    const { url } = this.#dialled ?? {};
    if (typeof url === 'string' && !urls.includes(url)) this.#dialled?.close('MOVED', 'no longer a contact');
    this.#resume();
  }

  send(frame: Uint8Array): void {
    const { counters } = this.#options;
    if (this.#cut) counters.droppedCut++;
    else if (this.#sender === null) counters.droppedUnreachable++;
    else if (frame.length > this.#sender.frameBytesMax) counters.droppedOversized++;
    else if (!this.#sender.send(frame)) counters.droppedUnsent++;
  }

  /** Why a node of that region may not connect; null: it may. */
  refusal(node: string): LinkRefusal | null {
    if (this.#cut) return { code: 'CUT', detail: 'cut off by fault injection' };
    const { acceptedMax } = this.#options.limits;
    if (this.#accepted.size < acceptedMax || this.#accepted.has(node)) return null;
    return { code: 'OVERLOADED', detail: `${acceptedMax} nodes of ${this.region} are connected` };
  }

  accept(socket: WebSocket, hello: LinkHello): void {
    const connection = this.#connect(socket, hello, null);
    const before = this.#accepted.get(hello.node);
    this.#accepted.set(hello.node, connection);
    before?.close('REPLACED', 'a newer connection took its place');
    this.#sender ??= connection;
    this.#options.onChange(this);
  }

  cut(): void {
    this.#cut = true;
    this.#dialler.stop();
    for (const connection of this.connections) connection.terminate('cut off by fault injection');
  }

  heal(): void {
    if (!this.#cut) return;
    this.#cut = false;
    this.#dialler.reset();
    this.#resume();
  }

  check(nowMs: number): void {
    for (const connection of this.connections) connection.check(nowMs);
  }

  /** Resolves when all connections are closed. */
  async close(code: string, detail: string): Promise<void> {
    this.#stopped = true;
    this.#dialler.stop();
    const { connections } = this;
    for (const connection of connections) connection.close(code, detail);
    await Promise.all(connections.map(({ closed }) => closed));
  }

  /** Without a word. */
  terminate(): void {
    this.#stopped = true;
    this.#dialler.stop();
    for (const connection of this.connections) connection.terminate('this side ended');
  }

  #connect(socket: WebSocket, hello: LinkHello, url: string | null): LinkConnection {
    const { limits, counters, onFrame } = this.#options;
    return new LinkConnection(socket, {
      hello,
      url,
      limits,
      counters,
      onFrame: (frame) => onFrame(this.region, frame),
      onEnd: (connection, reason) => this.#ended(connection, reason),
    });
  }

  #opened(socket: WebSocket, hello: LinkHello, url: string): void {
    this.#noted.clear();
    this.#dialled = this.#connect(socket, hello, url);
    this.#sender ??= this.#dialled;
    this.#options.note({ region: this.region, node: hello.node, url }, 'connected to a region');
    this.#options.onChange(this);
  }

  #ended(connection: LinkConnection, reason: string): void {
    if (this.#dialled === connection) this.#dialled = null;
    if (this.#accepted.get(connection.hello.node) === connection) this.#accepted.delete(connection.hello.node);
    if (this.#sender === connection) this.#sender = this.connections[0] ?? null;
    this.#options.onChange(this);
    if (this.#stopped) return;
    this.#options.counters.connectionsLost++;
    const { region } = this;
    this.#options.note(
      { region, node: connection.hello.node, url: connection.url, reason },
      'lost a connection to a region',
    );
    this.#resume();
  }

  #resume(): void {
    if (this.#dialled === null && !this.#cut && !this.#stopped) this.#dialler.resume();
  }

  #refused(url: string, { code, detail }: LinkRefusal): void {
    if (this.#noted.get(url) === code) return;
    this.#noted.set(url, code);
    this.#options.note({ region: this.region, url, code, detail }, 'no connection to a region');
  }
}
