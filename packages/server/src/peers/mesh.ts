import type { NodeId, Random, ReplicaId } from '@skerry/base';
import type { DirectoryEntry, PeerMessage } from '@skerry/replica';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { PeerLimits } from '../limits.ts';
import { Dialler } from './dialler.ts';
import { greet, type Greeted } from './greeting.ts';
import type { PeerHello, PeerRefusal } from './handshake.ts';
import type { Incarnations } from './incarnations.ts';
import { PeerLink, type PeerLinkEvents } from './link.ts';

/** Where a mesh tells what happens: the turn loop. */
export interface PeerEvents {
  peerUp(node: NodeId): void;
  peerDown(node: NodeId, reset: boolean): void;
  receive(from: NodeId, messages: readonly PeerMessage[]): void;
  /** Storage failed under the mesh. */
  fail(cause: unknown): void;
}

export interface PeerMeshOptions {
  readonly own: PeerHello;
  readonly contacts: readonly { readonly node: NodeId; readonly peerUrl: string }[];
  readonly incarnations: Incarnations;
  readonly limits: PeerLimits;
  readonly events: PeerEvents;
  readonly random: Random;
  readonly log: Logger;
}

/** How often links are looked at. A probe and a dead link are noticed this much late. */
const checkMs = 250;
/** What a link has to answer when its other side has just dialled anew. */
const probeMs = 500;

/**
 * The connections to the other nodes of the region: at most one active per node. Both sides dial when they have none,
 * and of two connections between the same two processes the one that the lower name dialled stays, so both sides keep
 * the same. A connection from a newer process of the node always replaces.
 */
export class PeerMesh implements PeerLinkEvents {
  readonly #options: PeerMeshOptions;
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #diallers = new Map<NodeId, Dialler>();
  readonly #contacts: ReadonlyMap<NodeId, string>;
  readonly #cut = new Set<NodeId>();
  /** Ended links behind an injected cut, whose sockets stay open until it heals. */
  readonly #behindCut = new Set<PeerLink>();
  readonly #greeting = new Set<WebSocket>();
  readonly #checker: NodeJS.Timeout;
  #checkedAtMs: number = performance.now();
  #stopped = false;
  readonly #refusals = new Map<string, number>();
  /** The last refusal logged, by peer. */
  readonly #noted = new Map<string, string>();
  #messagesDropped = 0;
  #bytesSent = 0;
  #bytesReceived = 0;

  constructor(options: PeerMeshOptions) {
    this.#options = options;
    this.#contacts = new Map(options.contacts.map(({ node, peerUrl }) => [node, peerUrl]));
    this.#checker = setInterval(() => this.#check(), checkMs);
  }

  /** Dials the contacts. */
  start(): void {
    this.#setTargets(this.#contacts);
  }

  /** Whom to dial from now on. Nobody who dials in is refused for not being a member: this node may know less than they. */
  setDirectory(entries: readonly DirectoryEntry[]): void {
    if (entries.length === 0) return;
    this.#options.incarnations.learn(entries).catch((error: unknown) => this.#options.events.fail(error));
    const targets = new Map<NodeId, string>();
    for (const { node, peerUrl } of entries) {
      const url = peerUrl === '' ? this.#contacts.get(node) : peerUrl;
      if (url !== undefined && node !== this.#options.own.node) targets.set(node, url);
    }
    this.#setTargets(targets);
    for (const link of this.#links.values()) {
      const admitted = entries.find(({ node }) => node === link.node)?.replica ?? link.replica;
      if (admitted !== link.replica) link.close('WRONG_INCARNATION', 'the member was replaced');
    }
  }

  send(to: NodeId, messages: readonly PeerMessage[]): void {
    const link = this.#links.get(to);
    if (link === undefined) this.#messagesDropped += messages.length;
    else link.send(messages);
  }

  /** A socket that dialled in. */
  accept(socket: WebSocket): void {
    void this.#handshake(socket, null);
  }

  connected(): NodeId[] {
    return [...this.#links.keys()];
  }

  /** What this node says of itself. */
  get hello(): PeerHello {
    return this.#options.own;
  }

  /** The link to `node`, for status and tests. */
  describe(
    node: NodeId,
  ): { readonly replica: ReplicaId; readonly dialledHere: boolean; readonly linkAgeMs: number } | null {
    const link = this.#links.get(node);
    if (link === undefined) return null;
    return { replica: link.replica, dialledHere: link.dialledHere, linkAgeMs: performance.now() - link.startedAtMs };
  }

  /** Fault injection: nothing passes to or from `node` any more, and nobody is told. */
  cut(node: NodeId): void {
    this.#cut.add(node);
    const link = this.#links.get(node);
    if (link !== undefined) link.cut = true;
    this.#diallers.get(node)?.pause();
  }

  heal(node: NodeId): void {
    if (!this.#cut.delete(node)) return;
    for (const link of this.#behindCut) {
      if (link.node !== node) continue;
      this.#behindCut.delete(link);
      link.terminate();
    }
    // What was in flight is lost as it would be with the cable: only a new connection is whole.
    this.#links.get(node)?.terminate();
    if (!this.#links.has(node)) this.#diallers.get(node)?.resume();
  }

  cutNodes(): NodeId[] {
    return [...this.#cut];
  }

  /** Counters and gauges, flat. */
  metrics(): Record<string, number> {
    const numbers: Record<string, number> = { peer_links: this.#links.size };
    let dropped = this.#messagesDropped;
    let sent = this.#bytesSent;
    let received = this.#bytesReceived;
    for (const link of this.#links.values()) {
      dropped += link.messagesDropped;
      sent += link.bytesSent;
      received += link.bytesReceived;
    }
    numbers['peer_messages_dropped_total'] = dropped;
    numbers['peer_sent_bytes_total'] = sent;
    numbers['peer_received_bytes_total'] = received;
    return numbers;
  }

  /** Handshakes refused, by code. */
  refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  /** Tells the peers. */
  stop(): void {
    this.#stopped = true;
    for (const link of this.#links.values()) link.close('STOPPING', 'the node is shutting down');
    this.terminate();
  }

  /** Ends everything without a word, as a crash would. */
  terminate(): void {
    this.#stopped = true;
    clearInterval(this.#checker);
    for (const dialler of this.#diallers.values()) dialler.stop();
    for (const socket of this.#greeting) socket.terminate();
    for (const link of this.#links.values()) link.terminate();
    for (const link of this.#behindCut) link.terminate();
  }

  onMessages(link: PeerLink, messages: readonly PeerMessage[]): void {
    this.#options.events.receive(link.node, messages);
  }

  onEnd(link: PeerLink, reset: boolean): void {
    this.#messagesDropped += link.messagesDropped;
    this.#bytesSent += link.bytesSent;
    this.#bytesReceived += link.bytesReceived;
    if (link.cut) this.#behindCut.add(link);
    if (this.#links.get(link.node) !== link) return;
    this.#links.delete(link.node);
    this.#options.log.info({ peer: link.node, reset }, 'lost the connection to a peer');
    if (this.#stopped) return;
    this.#options.events.peerDown(link.node, reset);
    if (!this.#cut.has(link.node)) this.#diallers.get(link.node)?.resume();
  }

  #setTargets(targets: ReadonlyMap<NodeId, string>): void {
    for (const [node, dialler] of this.#diallers) {
      if (targets.get(node) === dialler.url) continue;
      dialler.stop();
      this.#diallers.delete(node);
    }
    for (const [node, url] of targets) {
      if (this.#diallers.has(node)) continue;
      const dialler = new Dialler({
        url,
        limits: this.#options.limits,
        random: this.#options.random,
        onOpen: (socket) => this.#handshake(socket, node),
      });
      this.#diallers.set(node, dialler);
      if (!this.#links.has(node) && !this.#cut.has(node)) dialler.resume();
    }
  }

  /** Makes a link of an open socket, or not; true if so. `dialled`: whom this side meant to reach. */
  async #handshake(socket: WebSocket, dialled: NodeId | null): Promise<boolean> {
    const { own, limits, events } = this.#options;
    // Without a listener an error event would end the process; the close that follows says enough.
    socket.on('error', () => socket.terminate());
    this.#greeting.add(socket);
    try {
      const greeted = await greet(socket, {
        own,
        handshakeMs: limits.handshakeMs,
        first: dialled !== null,
        ignore: ({ node }) => this.#cut.has(node),
        check: (hello) => this.#admit(hello, dialled),
      });
      if ('code' in greeted) {
        this.#noteRefusal(dialled, greeted);
        return false;
      }
      // Another connection may have been made while this one was greeting.
      const refusal = this.#yieldsTo(this.#links.get(greeted.hello.node), greeted.hello, dialled !== null);
      const link = new PeerLink(socket, greeted, { dialledHere: dialled !== null, limits, events: this });
      if (this.#cut.has(link.node)) {
        link.cut = true;
        this.#behindCut.add(link);
        return false;
      }
      if (refusal === null) this.#activate(link, greeted);
      else link.close(refusal.code, refusal.detail);
      return refusal === null;
    } catch (error) {
      socket.terminate();
      events.fail(error);
      return false;
    } finally {
      this.#greeting.delete(socket);
    }
  }

  async #admit(hello: PeerHello, dialled: NodeId | null): Promise<PeerRefusal | null> {
    if (dialled !== null && hello.node !== dialled) {
      return { code: 'WRONG_NODE', detail: `${hello.node} listens at the address of ${dialled}` };
    }
    if (!(await this.#options.incarnations.admit(hello.node, hello.replica))) {
      const known = this.#options.incarnations.known(hello.node);
      return { code: 'WRONG_INCARNATION', detail: `${hello.node} was known as ${known}, now it is ${hello.replica}` };
    }
    if (this.#stopped) return { code: 'STOPPING', detail: 'the node is shutting down' };
    return this.#yieldsTo(this.#links.get(hello.node), hello, dialled !== null);
  }

  /** Null if a new connection may take the place of `existing`. */
  #yieldsTo(existing: PeerLink | undefined, hello: PeerHello, dialledHere: boolean): PeerRefusal | null {
    if (existing === undefined || existing.process !== hello.process) return null;
    // Who dials again has given the old connection up.
    if (existing.dialledHere === dialledHere) return null;
    const lowerDialled = dialledHere === this.#options.own.node < hello.node;
    if (lowerDialled) return null;
    // Either both dialled at once, or the other side has lost the connection and this one has not noticed.
    existing.probe(performance.now(), probeMs);
    return { code: 'DUPLICATE', detail: 'there is a connection already' };
  }

  #activate(link: PeerLink, { early }: Greeted): void {
    const { events, log } = this.#options;
    const existing = this.#links.get(link.node);
    this.#links.set(link.node, link);
    if (existing !== undefined) {
      const restarted = existing.process !== link.process;
      existing.close('DUPLICATE', 'a newer connection took its place');
      // What was in flight on the old connection is lost: whoever resends on a new connection must know.
      events.peerDown(link.node, restarted);
    }
    log.info({ peer: link.node, dialledHere: link.dialledHere }, 'connected to a peer');
    this.#diallers.get(link.node)?.pause();
    this.#noted.delete(link.node);
    events.peerUp(link.node);
    link.start(early);
  }

  #noteRefusal(dialled: NodeId | null, { code, detail }: PeerRefusal): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    if (code === 'DUPLICATE' || code === 'TIMEOUT' || code === 'STOPPING') return;
    const who = dialled ?? 'someone';
    // Dialling goes on twice a second: say it once.
    if (this.#noted.get(who) === detail) return;
    this.#noted.set(who, detail);
    this.#options.log.warn({ peer: who, code, detail }, 'no connection to a peer: the handshake was refused');
  }

  #check(): void {
    const nowMs = performance.now();
    // After a pause of this process, what the peers sent meanwhile has not been read yet: look again next time.
    const paused = nowMs - this.#checkedAtMs > 2 * checkMs;
    this.#checkedAtMs = nowMs;
    if (paused) return;
    for (const link of this.#links.values()) link.check(nowMs);
  }
}
