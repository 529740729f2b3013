import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NodeId, Random, RegionId } from '@skerry/base';
import type { LinkEvents, RegionContacts, RegionLink } from '@skerry/replica';
import { WebSocketServer } from 'ws';
import { metricsOf, newCounters, type LinkCounters } from './counters.ts';
import { frameHeaderBytes } from './framing.ts';
import {
  helloHeader,
  linkProtocolVersion,
  readHello,
  refusalHeader,
  wantedHeader,
  type LinkHello,
  type LinkRefusal,
} from './hello.ts';
import { directLinkLimits, type DirectLinkLimits } from './limits.ts';
import { RemoteRegion } from './remote-region.ts';

export interface DirectLinkOptions {
  readonly cluster: string;
  readonly region: RegionId;
  readonly node: NodeId;
  readonly partitionCount: number;
  readonly limits?: Partial<DirectLinkLimits>;
  readonly random: Random;
  readonly events: LinkEvents;
  /** What an operator may want to read in a log. */
  readonly note?: (fields: Readonly<Record<string, unknown>>, text: string) => void;
}

/** How often connections are looked at. A ping and a death are late by as much. */
const checkMs = 150;

/**
 * The link port over WebSockets: each node dials one node of each other region, at the port where that listens for its
 * peers, and takes whoever dials in from a region that it knows. There is no log: what is lost, the replica pulls.
 */
export class DirectLink implements RegionLink {
  readonly log: null = null;
  readonly #options: DirectLinkOptions;
  readonly #own: LinkHello;
  readonly #limits: DirectLinkLimits;
  readonly #counters: LinkCounters = newCounters();
  readonly #refusals: Map<string, number> = new Map();
  readonly #regions: Map<RegionId, RemoteRegion> = new Map();
  /** A cut outlives the region's contacts. */
  readonly #cut: Set<RegionId> = new Set();
  /** What was told of each region; it is told again when it differs from what is. */
  readonly #toldUp: Set<RegionId> = new Set();
  #tellScheduled = false;
  readonly #server: WebSocketServer;
  /** Runs from the first region on: a node of one region alone is not woken up for nothing. */
  #checker: NodeJS.Timeout | undefined;
  #checkedAtMs = 0;
  #closed: Promise<void> | null = null;

  constructor(options: DirectLinkOptions) {
    this.#options = options;
    const { cluster, region, node, partitionCount } = options;
    this.#limits = directLinkLimits(options.limits);
    const { frameBytesMax } = this.#limits;
    this.#own = { linkProtocolVersion, cluster, region, node, partitionCount, frameBytesMax };
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: frameBytesMax + frameHeaderBytes,
      perMessageDeflate: false,
      autoPong: false,
      clientTracking: false,
    });
    this.#server.on('headers', (headers) => headers.push(`${helloHeader}: ${JSON.stringify(this.#own)}`));
  }

  send(region: RegionId, frame: Uint8Array): void {
    const remote = this.#regions.get(region);
    if (remote === undefined || this.#closed !== null) this.#counters.droppedUnreachable++;
    else remote.send(frame);
  }

  setRegions(regions: readonly RegionContacts[]): void {
    if (this.#closed !== null) return;
    const named = new Map(regions.map(({ region, urls }) => [region, urls]));
    named.delete(this.#options.region);
    for (const [region, remote] of this.#regions) {
      if (named.has(region)) continue;
      this.#regions.delete(region);
      void remote.close('UNKNOWN_REGION', `${region} is no longer known`);
      this.#tellSoon();
    }
    for (const [region, urls] of named) this.#remote(region).setContacts(urls);
  }

  /** An upgrade that came to the peer listener for {@link linkPath}. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const hello = this.#admit(request);
    if ('code' in hello) {
      this.#refusals.set(hello.code, (this.#refusals.get(hello.code) ?? 0) + 1);
      refuse(socket, hello);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) =>
      this.#remote(hello.region).accept(webSocket, hello),
    );
  }

  cut(region: RegionId): void {
    this.#cut.add(region);
    this.#regions.get(region)?.cut();
  }

  heal(region: RegionId): void {
    this.#cut.delete(region);
    this.#regions.get(region)?.heal();
  }

  metrics(): Readonly<Record<string, number>> {
    const connections = [...this.#regions.values()].flatMap((remote) => remote.connections);
    return {
      ...metricsOf(this.#counters),
      link_connections: connections.length,
      link_unsent_bytes: connections.reduce((sum, { unsentBytes }) => sum + unsentBytes, 0),
    };
  }

  /** Connections refused to others, by code. */
  refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  /** Which node of each other region frames go to, as `region/node`; null: none. */
  routes(): { readonly region: RegionId; readonly via: string | null }[] {
    return [...this.#regions.values()].map(({ region, via }) => ({ region, via }));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Ends everything without a word, as a crash would. */
  terminate(): void {
    this.#closed ??= Promise.resolve();
    clearInterval(this.#checker);
    for (const remote of this.#regions.values()) remote.terminate();
  }

  async #close(): Promise<void> {
    clearInterval(this.#checker);
    await Promise.all(
      [...this.#regions.values()].map((remote) => remote.close('STOPPING', 'the node is shutting down')),
    );
  }

  #remote(region: RegionId): RemoteRegion {
    const existing = this.#regions.get(region);
    if (existing !== undefined) return existing;
    const { random, events, note = () => {} } = this.#options;
    const remote = new RemoteRegion({
      region,
      own: this.#own,
      limits: this.#limits,
      random,
      counters: this.#counters,
      onFrame: (from, frame) => events.receive(from, frame),
      onChange: () => this.#tellSoon(),
      note,
    });
    if (this.#cut.has(region)) remote.cut();
    this.#regions.set(region, remote);
    if (this.#checker === undefined) {
      this.#checkedAtMs = performance.now();
      this.#checker = setInterval(() => this.#check(), checkMs);
    }
    return remote;
  }

  #admit({ headers }: IncomingMessage): LinkHello | LinkRefusal {
    const own = this.#own;
    if (this.#closed !== null) return { code: 'STOPPING', detail: 'the node is shutting down' };
    const hello = readHello(headers, own);
    if ('code' in hello) return hello;
    const wanted = headers[wantedHeader];
    if (wanted !== own.region || hello.region === own.region)
      return { code: 'WRONG_REGION', detail: `a node of ${own.region} listens here` };
    const remote = this.#regions.get(hello.region);
    if (remote === undefined) return { code: 'UNKNOWN_REGION', detail: `${own.region} does not know ${hello.region}` };
    return remote.refusal(hello.node) ?? hello;
  }

  /** Never from inside a call, and only what lasts: a connection that another one replaces in one turn is no news. */
  #tellSoon(): void {
    if (this.#tellScheduled) return;
    this.#tellScheduled = true;
    queueMicrotask(() => {
      this.#tellScheduled = false;
      this.#tell();
    });
  }

  #tell(): void {
    const { events } = this.#options;
    for (const region of [...this.#toldUp]) {
      if (this.#closed !== null || this.#regions.get(region)?.up === true) continue;
      this.#toldUp.delete(region);
      events.regionDown(region);
    }
    for (const { region, up } of this.#regions.values()) {
      if (this.#closed !== null || !up || this.#toldUp.has(region)) continue;
      this.#toldUp.add(region);
      events.regionUp(region);
    }
  }

  #check(): void {
    const nowMs = performance.now();
    // After a pause of this process, what the others sent meanwhile has not been read yet: look again next time.
    const paused = nowMs - this.#checkedAtMs > 2 * checkMs;
    this.#checkedAtMs = nowMs;
    if (paused) return;
    for (const remote of this.#regions.values()) remote.check(nowMs);
  }
}

function refuse(socket: Duplex, { code, detail }: LinkRefusal): void {
  const lines = [
    'HTTP/1.1 403 Forbidden',
    `${refusalHeader}: ${code}: ${detail}`,
    'content-length: 0',
    'connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n`, () => socket.destroy());
}
