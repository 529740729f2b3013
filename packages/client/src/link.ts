import {
  decodeServerFrame,
  encodeFrame,
  ProtocolError,
  protocolVersion,
  type ClientMessage,
  type GoodbyeMessage,
  type ServerMessage,
  type WelcomeMessage,
} from '@skerry/protocol';
import type { Host, Socket } from './host.ts';

export interface LinkOptions {
  readonly cluster: string | null;
  /** From dialling to the welcome. */
  readonly openTimeoutMs: number;
  /** Silence after which a ping goes out while answers are awaited. */
  readonly quietMs: number;
  /** The same while nothing is awaited; a watch lives on it. */
  readonly idleMs: number;
  /** Silence after a ping that makes the node suspect. */
  readonly suspectMs: number;
  /** Silence after a ping that ends the connection. */
  readonly pongTimeoutMs: number;
}

export interface LinkListener {
  readonly onWelcome: (welcome: WelcomeMessage) => void;
  /** Everything of one frame but welcome, goodbye and pong. */
  readonly onMessages: (messages: readonly ServerMessage[]) => void;
  /** Once; nothing comes after it. */
  readonly onDown: (reason: LinkEnd) => void;
}

export interface LinkEnd {
  readonly goodbye: GoodbyeMessage | null;
  readonly detail: string;
}

/** A frame is cut when it has grown to about this, so that one turn's requests do not exceed the server's limit. */
const frameTargetBytes = 512 * 1_024;
/**
 * A frame of nothing but reads of local views goes when it has so many: the node answers them while this side makes the
 * next ones. Whatever costs a round between the nodes is better sent together.
 */
const localReadsPerFrame = 128;
/** The loop was late by more than this: the silence may be this process's own. */
const ownPauseMs = 100;

/** One connection to one node: greeting, frames per turn, liveness. It ends once and is not used again. */
export class Link {
  readonly url: string;
  readonly #host: Host;
  readonly #options: LinkOptions;
  readonly #listener: LinkListener;
  readonly #socket: Socket;
  #welcome: WelcomeMessage | null = null;
  #welcomedMs = 0;
  #goodbye: GoodbyeMessage | null = null;
  #down = false;
  #queue: ClientMessage[] = [];
  #queueBytes = 0;
  /** Messages of the queue that read local views. */
  #localReads = 0;
  #flushPlanned = false;
  #heardMs: number;
  #pingSentMs: number | null = null;
  #nonce = 0;
  /** Round trips that are being measured: by nonce, when it began. */
  readonly #measured = new Map<number, { readonly sentMs: number; readonly done: (roundTripMs: number) => void }>();
  #checkDueMs = 0;
  /** Answers are awaited, so silence is suspicious early. */
  awaiting = false;

  constructor(url: string, { host, options, listener }: { host: Host; options: LinkOptions; listener: LinkListener }) {
    this.url = url;
    this.#host = host;
    this.#options = options;
    this.#listener = listener;
    this.#heardMs = host.nowMs();
    this.#socket = host.openSocket(url, {
      onOpen: () => {
        if (this.#down) return;
        this.#socket.send(encodeFrame([{ kind: 'hello', protocolVersion, cluster: options.cluster }]));
      },
      onFrame: (bytes) => {
        this.#receive(bytes);
      },
      onClose: (detail) => {
        this.#end(detail);
      },
    });
  }

  get welcome(): WelcomeMessage | null {
    return this.#down ? null : this.#welcome;
  }

  /** The node's time by its welcome and what has passed since on this side's clock, whole milliseconds. */
  serverNowMs(nowMs: number): number {
    return Math.floor((this.#welcome?.nowMs ?? 0) + nowMs - this.#welcomedMs);
  }

  /** A ping is unanswered for long. The node may only be slow; what it says later still counts. */
  isSuspect(nowMs: number): boolean {
    return !this.#down && this.#pingSentMs !== null && nowMs >= this.#pingSentMs + this.#options.suspectMs;
  }

  get bufferedBytes(): number {
    return this.#queueBytes + this.#socket.bufferedBytes();
  }

  /** Queued until the end of the turn; all messages of a turn travel together, or in a few frames where that is better. */
  send(message: ClientMessage, estimateBytes: number): void {
    if (this.#down) return;
    this.#queue.push(message);
    this.#queueBytes += estimateBytes;
    if (isLocalRead(message)) this.#localReads++;
    const isEnough = this.#localReads >= localReadsPerFrame && this.#localReads === this.#queue.length;
    if (isEnough || this.#queueBytes >= frameTargetBytes) {
      this.#flush();
      return;
    }
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    this.#host.endOfTurn(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  /** `done` is told the round trip of a ping; never, when the connection ends before. Milliseconds. */
  measure(done: (roundTripMs: number) => void): void {
    this.#measured.set(this.#ping(), { sentMs: this.#host.nowMs(), done });
  }

  close(detail: string): void {
    if (this.#down) return;
    this.#flush();
    this.#end(detail);
  }

  /** Liveness; returns when to call it again. */
  tick(nowMs: number): number {
    if (this.#down) return Number.POSITIVE_INFINITY;
    if (nowMs > this.#checkDueMs + ownPauseMs && this.#checkDueMs > 0) {
      this.#heardMs = Math.max(this.#heardMs, nowMs - ownPauseMs);
      if (this.#pingSentMs !== null) this.#pingSentMs = nowMs;
    }
    this.#checkDueMs = this.#check(nowMs);
    return this.#checkDueMs;
  }

  #check(nowMs: number): number {
    if (this.#welcome === null) {
      const dueMs = this.#heardMs + this.#options.openTimeoutMs;
      if (nowMs < dueMs) return dueMs;
      this.#end('no welcome in time');
      return Number.POSITIVE_INFINITY;
    }
    if (this.#pingSentMs !== null) {
      const dueMs = this.#pingSentMs + this.#options.pongTimeoutMs;
      const suspectDueMs = this.#pingSentMs + this.#options.suspectMs;
      if (nowMs < dueMs) return nowMs < suspectDueMs ? Math.min(dueMs, suspectDueMs) : dueMs;
      this.#end('the node is silent');
      return Number.POSITIVE_INFINITY;
    }
    const dueMs = this.#heardMs + (this.awaiting ? this.#options.quietMs : this.#options.idleMs);
    if (nowMs < dueMs) return dueMs;
    this.#pingSentMs = nowMs;
    this.#ping();
    return nowMs + Math.min(this.#options.suspectMs, this.#options.pongTimeoutMs);
  }

  #ping(): number {
    this.#nonce = (this.#nonce + 1) >>> 0;
    this.send({ kind: 'ping', nonce: this.#nonce }, 8);
    return this.#nonce;
  }

  #ponged(nonce: number): void {
    const measured = this.#measured.get(nonce);
    this.#measured.delete(nonce);
    measured?.done(this.#host.nowMs() - measured.sentMs);
  }

  #flush(): void {
    if (this.#queue.length === 0 || this.#down) return;
    const messages = this.#queue;
    this.#queue = [];
    this.#queueBytes = 0;
    this.#localReads = 0;
    this.#socket.send(encodeFrame(messages));
  }

  #receive(bytes: Uint8Array): void {
    if (this.#down) return;
    this.#heardMs = this.#host.nowMs();
    this.#pingSentMs = null;
    let messages: readonly ServerMessage[];
    try {
      messages = decodeServerFrame(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#end(error.message);
      return;
    }
    const rest: ServerMessage[] = [];
    for (const message of messages) {
      if (message.kind === 'welcome') this.#greet(message);
      else if (message.kind === 'goodbye') this.#goodbye = message;
      else if (message.kind === 'pong') this.#ponged(message.nonce);
      else rest.push(message);
    }
    if (rest.length > 0 && !this.#down) this.#listener.onMessages(rest);
    if (this.#goodbye !== null) this.#end(this.#goodbye.detail);
  }

  #greet(welcome: WelcomeMessage): void {
    if (welcome.protocolVersion !== protocolVersion) {
      this.#goodbye = {
        kind: 'goodbye',
        code: 'PROTOCOL_VERSION',
        detail: `the node speaks ${welcome.protocolVersion}, this client ${protocolVersion}`,
      };
      return;
    }
    if (this.#options.cluster !== null && welcome.cluster !== this.#options.cluster) {
      this.#goodbye = { kind: 'goodbye', code: 'WRONG_CLUSTER', detail: `the node belongs to ${welcome.cluster}` };
      return;
    }
    if (this.#welcome !== null) return;
    this.#welcome = welcome;
    this.#welcomedMs = this.#host.nowMs();
    this.#listener.onWelcome(welcome);
  }

  #end(detail: string): void {
    if (this.#down) return;
    this.#down = true;
    this.#socket.close();
    this.#listener.onDown({ goodbye: this.#goodbye, detail });
  }
}

function isLocalRead(message: ClientMessage): boolean {
  if (message.kind !== 'request') return false;
  const { operation } = message;
  return (operation.kind === 'get' || operation.kind === 'read') && !operation.consistent;
}
