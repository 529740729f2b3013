import { DecodeError, type NodeId, type ReplicaId } from '@skerry/base';
import { decodePeerFrame, encodePeerFrame, type PeerMessage } from '@skerry/replica';
import type { RawData, WebSocket } from 'ws';
import type { PeerLimits } from '../limits.ts';
import type { Greeted } from './greeting.ts';
import { closeReason, refusalCloseCode } from './handshake.ts';

/** How long the other side may take to answer a close. */
const closeMsMax = 500;

export interface PeerLinkEvents {
  onMessages(link: PeerLink, messages: readonly PeerMessage[]): void;
  /** `reset`: the other side ended it, rather than a timeout or this side. Called once. */
  onEnd(link: PeerLink, reset: boolean): void;
}

/** A WebSocket to a peer after the handshake. */
export class PeerLink {
  readonly node: NodeId;
  readonly replica: ReplicaId;
  /** Of the other side. */
  readonly process: string;
  readonly dialledHere: boolean;
  readonly #socket: WebSocket;
  readonly #limits: PeerLimits;
  readonly #events: PeerLinkEvents;
  readonly startedAtMs: number = performance.now();
  /** When something last came, milliseconds of the monotonic clock. */
  #heardAtMs: number = this.startedAtMs;
  /** Silence beyond this moment is death; set by {@link probe}. */
  #probeUntilMs = Number.POSITIVE_INFINITY;
  #pinged = false;
  #ended = false;
  /** A fault is injected: nothing passes either way, and the socket stays open, as behind a dead cable. */
  cut = false;
  messagesDropped = 0;
  bytesSent = 0;
  bytesReceived = 0;

  constructor(
    socket: WebSocket,
    { hello }: Greeted,
    options: {
      readonly dialledHere: boolean;
      readonly limits: PeerLimits;
      readonly events: PeerLinkEvents;
    },
  ) {
    this.#socket = socket;
    this.node = hello.node;
    this.replica = hello.replica;
    this.process = hello.process;
    this.dialledHere = options.dialledHere;
    this.#limits = options.limits;
    this.#events = options.events;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('ping', (data: Buffer) => {
      if (this.cut) return;
      this.#heard();
      socket.pong(data);
    });
    socket.on('pong', () => {
      if (!this.cut) this.#heard();
    });
    socket.on('close', (code, reason) => {
      // A refusal comes from a process that lives on.
      this.#end(!this.cut && (code !== refusalCloseCode || reason.toString().startsWith('STOPPING')));
    });
    // What came was no WebSocket frame, or one beyond the limit.
    socket.on('error', () => this.terminate());
  }

  /** Takes the frames that came with the handshake, then whatever comes. */
  start(early: Greeted['early']): void {
    for (const { data, isBinary } of early) this.#receive(data, isBinary);
    this.#socket.resume();
  }

  /** Drops the messages when the other side does not keep up or is cut off: whoever sent them sends anew. */
  send(messages: readonly PeerMessage[]): void {
    if (this.#ended) return;
    if (this.cut || this.#socket.bufferedAmount > this.#limits.unsentBytesMax) {
      this.messagesDropped += messages.length;
      return;
    }
    const frame = encodePeerFrame(messages);
    this.bytesSent += frame.length;
    this.#socket.send(frame);
  }

  /** Called every now and then: pings a link that is idle, ends one that is dead. */
  check(nowMs: number): void {
    const silentMs = nowMs - this.#heardAtMs;
    if (silentMs > this.#limits.deadMs || nowMs > this.#probeUntilMs) {
      this.#end(false);
      // Behind a dead cable the other side would not learn of it either.
      if (!this.cut) this.#socket.terminate();
      return;
    }
    if (silentMs > this.#limits.pingMs && !this.#pinged && !this.cut) {
      this.#pinged = true;
      this.#socket.ping();
    }
  }

  /** The other side seems to think that this link is dead: it has `withinMs` to prove the contrary. */
  probe(nowMs: number, withinMs: number): void {
    if (this.#probeUntilMs !== Number.POSITIVE_INFINITY || this.cut) return;
    this.#probeUntilMs = nowMs + withinMs;
    this.#socket.ping();
  }

  /** Closes from this side; the end is reported at once. */
  close(code: string, detail: string): void {
    this.#end(false);
    this.#socket.close(refusalCloseCode, closeReason(code, detail));
    setTimeout(() => this.#socket.terminate(), closeMsMax).unref();
  }

  /** Without a word. */
  terminate(): void {
    this.#end(false);
    this.#socket.terminate();
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.cut || this.#ended) return;
    this.#heard();
    if (!isBinary || !(data instanceof Uint8Array)) {
      this.close('MALFORMED_FRAME', 'a frame between nodes is binary');
      return;
    }
    this.bytesReceived += data.length;
    let messages: readonly PeerMessage[];
    try {
      messages = decodePeerFrame(data);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.close('MALFORMED_FRAME', error.message);
      return;
    }
    this.#events.onMessages(this, messages);
  }

  #heard(): void {
    this.#heardAtMs = performance.now();
    this.#probeUntilMs = Number.POSITIVE_INFINITY;
    this.#pinged = false;
  }

  #end(reset: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.onEnd(this, reset);
  }
}
