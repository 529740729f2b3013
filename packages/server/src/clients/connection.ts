import { NumberTable } from '@skerry/base';
import {
  decodeClientFrame,
  type ClientMessage,
  type ErrorCode,
  type HelloMessage,
  ProtocolError,
  protocolVersion,
  type RefusedRequest,
  type RequestId,
  type RequestMessage,
  type SeenMessage,
  type ServerMessage,
} from '@skerry/protocol';
import type { Answer, RequestHandle } from '@skerry/replica';
import type { RawData, WebSocket } from 'ws';
import type { ClientLimits } from '../limits.ts';
import { closeReason } from '../peers/handshake.ts';
import type { Asker, OpenRequests } from '../requests.ts';
import { Outbox } from './outbox.ts';

/** Close code of a connection that the node ends for the client's fault; the reason and the goodbye say which. */
export const goodbyeCloseCode = 4_000;
/** RFC 6455: the endpoint goes away. */
const goingAwayCloseCode = 1_001;
/** How long the client may take to answer a close. */
const closeMsMax = 1_000;

/** What a connection needs of its gateway. */
export interface ConnectionHost {
  readonly cluster: string;
  readonly limits: ClientLimits;
  readonly requests: OpenRequests;
  /** The welcome to send now. */
  welcome(): ServerMessage;
  /** Of what the node has applied; -1 is older than any. */
  seenVersion(): number;
  /** What of it changed since that version. */
  seenSince(version: number): SeenMessage;
  /** The connection has something to send at the end of this turn. */
  touched(connection: ClientConnection): void;
  countRequest(operation: string): void;
  countError(code: ErrorCode): void;
  countGoodbye(code: ErrorCode): void;
  ended(connection: ClientConnection): void;
}

/** One client's WebSocket: its handshake, its open requests, what it is owed. */
export class ClientConnection implements Asker {
  readonly #socket: WebSocket;
  readonly #host: ConnectionHost;
  readonly #outbox: Outbox;
  readonly #open = new NumberTable<RequestHandle>();
  /** Open watches, which are among `#open` and never come to an end by themselves. */
  readonly #watches = new Set<RequestId>();
  /** Watches that were sent a page of the current state, and whose next one was not asked for yet. In order. */
  readonly #paging = new Set<RequestId>();
  /** Version of what the node has applied, as far as the client was told. */
  #seenVersion = -1;
  #greeted = false;
  #ended = false;
  /** New requests are answered with STOPPING, and the goodbye follows the last answer. */
  #stopping = false;
  #heardAtMs: number = performance.now();
  #pinged = false;

  constructor(socket: WebSocket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    this.#outbox = new Outbox(socket, host.limits, () => this.#askForPage());
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('pong', () => this.#heard());
    socket.on('close', () => this.#end());
    // Not a WebSocket frame, or far beyond the limit: ws has closed already, with the code that RFC 6455 has for it.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      host.countGoodbye(error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'FRAME_TOO_LARGE' : 'MALFORMED_FRAME');
    });
  }

  get greeted(): boolean {
    return this.#greeted;
  }

  /** Open requests, watches included. */
  get openCount(): number {
    return this.#open.size;
  }

  onAnswer(requestId: RequestId, answer: Answer): void {
    if (answer.kind !== 'watch') this.#forget(requestId);
    else if (answer.reset === 'more' || answer.more === true) this.#paging.add(requestId);
    else if (answer.reset === undefined && this.#outbox.full) {
      this.goodbye('SLOW_CONSUMER', 'watched changes come faster than they are read');
      return;
    }
    if (answer.kind === 'error') this.#host.countError(answer.code);
    this.#tellSeen();
    this.#outbox.push({ kind: 'answer', requestId, answer });
    this.#host.touched(this);
  }

  /** Sends what the turn came to. */
  flush(): void {
    this.#outbox.flush();
    if (this.#outbox.low) this.#askForPage();
    if (this.#stopping) this.#leaveIfIdle();
  }

  /** A message for all clients, encoded once by the caller, is sent past the answers of this turn. */
  sendFrame(frame: Uint8Array): void {
    // A client that is stuck learns of it from a later answer or at its next connection.
    if (this.#greeted && !this.#ended && !this.#outbox.stuck) this.#socket.send(frame);
  }

  /** Called every now and then: pings, and ends what is dead, stuck or never said hello. */
  check(nowMs: number): void {
    const { handshakeMs, pingMs, slowConsumerMs } = this.#host.limits;
    if (this.#outbox.stuck) {
      if (this.#outbox.overdue(nowMs)) this.goodbye('SLOW_CONSUMER', `nothing was read for ${slowConsumerMs} ms`);
      return;
    }
    if (this.#outbox.low) this.#askForPage();
    const silentMs = nowMs - this.#heardAtMs;
    if (!this.#greeted && silentMs > handshakeMs) this.goodbye('IDLE', `no hello within ${handshakeMs} ms`);
    else if (silentMs > 2 * pingMs) this.goodbye('IDLE', `silent for ${2 * pingMs} ms`);
    else if (silentMs > pingMs && !this.#pinged) {
      this.#pinged = true;
      this.#socket.ping();
    }
  }

  /** What is open is still answered, unless {@link goodbye} comes first. */
  stop(): void {
    this.#stopping = true;
    this.#leaveIfIdle();
  }

  /** The last message, and the end. */
  goodbye(code: ErrorCode, detail: string): void {
    if (this.#ended) return;
    this.#host.countGoodbye(code);
    if (this.#outbox.stuck) {
      // It would not read the goodbye either; what is queued in the socket is given back.
      this.#end();
      this.#socket.terminate();
      return;
    }
    this.#outbox.push({ kind: 'goodbye', code, detail });
    this.#outbox.flushAll();
    this.#end();
    this.#socket.close(code === 'STOPPING' ? goingAwayCloseCode : goodbyeCloseCode, closeReason(code, detail));
    setTimeout(() => this.#socket.terminate(), closeMsMax).unref();
  }

  terminate(): void {
    this.#end();
    this.#socket.terminate();
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#ended) return;
    this.#heard();
    if (!isBinary || !(data instanceof Uint8Array)) {
      this.goodbye('MALFORMED_FRAME', 'a frame is binary');
      return;
    }
    try {
      for (const message of decodeClientFrame(data, this.#host.limits.frameBytesMax)) {
        this.#handle(message);
        if (this.#ended) return;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.goodbye(error.code, error.detail);
    }
  }

  #handle(message: ClientMessage | RefusedRequest): void {
    if (!this.#greeted) {
      if (message.kind === 'hello') this.#greet(message);
      else this.goodbye('MALFORMED_FRAME', 'the first message is a hello');
      return;
    }
    switch (message.kind) {
      case 'hello':
        this.goodbye('MALFORMED_FRAME', 'a second hello');
        return;
      case 'request':
        this.#request(message);
        return;
      case 'refused':
        this.#refuse(message.requestId, message.code, message.detail);
        return;
      case 'cancel':
        this.#cancel(message.requestId);
        return;
      case 'ping':
        this.#outbox.push({ kind: 'pong', nonce: message.nonce });
        this.#outbox.flush();
        return;
    }
  }

  #greet(hello: HelloMessage): void {
    const { cluster } = this.#host;
    if (hello.protocolVersion !== protocolVersion) {
      this.goodbye('PROTOCOL_VERSION', `${hello.protocolVersion}, here ${protocolVersion}`);
    } else if (hello.cluster !== null && hello.cluster !== cluster) {
      this.goodbye('WRONG_CLUSTER', `${hello.cluster}, here ${cluster}`);
    } else {
      this.#greeted = true;
      this.#outbox.push(this.#host.welcome());
      this.#tellSeen();
      this.#outbox.flush();
    }
  }

  #request(message: RequestMessage): void {
    const { requests, limits } = this.#host;
    const { requestId } = message;
    if (this.#open.has(requestId)) {
      this.goodbye('MALFORMED_FRAME', `request ${requestId} is open already`);
    } else if (this.#stopping) {
      this.#refuse(requestId, 'STOPPING', 'the node is shutting down');
    } else if (this.#open.size >= limits.requestsOpenMax) {
      this.#refuse(requestId, 'OVERLOADED', `${limits.requestsOpenMax} requests of this connection are open`);
    } else {
      this.#host.countRequest(message.operation.kind);
      if (message.operation.kind === 'watch') this.#watches.add(requestId);
      this.#open.set(requestId, requests.open(this, requestId, message));
    }
  }

  /** Before an answer, so that a client that has the answer also knows what it rests on. */
  #tellSeen(): void {
    const version = this.#host.seenVersion();
    if (version === this.#seenVersion) return;
    this.#outbox.push(this.#host.seenSince(this.#seenVersion));
    this.#seenVersion = version;
  }

  #refuse(requestId: RequestId, code: ErrorCode, detail: string): void {
    this.#host.countError(code);
    this.#outbox.push({ kind: 'answer', requestId, answer: { kind: 'error', code, detail } });
    this.#host.touched(this);
  }

  #cancel(requestId: RequestId): void {
    const handle = this.#open.get(requestId);
    if (handle === undefined) return;
    this.#forget(requestId);
    this.#host.requests.cancel(handle);
    if (this.#stopping) this.#host.touched(this);
  }

  #forget(requestId: RequestId): void {
    this.#open.delete(requestId);
    this.#watches.delete(requestId);
    this.#paging.delete(requestId);
  }

  /** One page at a time, whatever the number of watches: a client that reads is never behind by more than it may be. */
  #askForPage(): void {
    const [requestId] = this.#paging;
    if (requestId === undefined) return;
    this.#paging.delete(requestId);
    const handle = this.#open.get(requestId);
    if (handle !== undefined) this.#host.requests.watchReady(handle);
  }

  #leaveIfIdle(): void {
    // A watch goes on elsewhere from its cursor.
    if (this.#open.size === this.#watches.size) this.goodbye('STOPPING', 'the node is shutting down');
  }

  #heard(): void {
    this.#heardAtMs = performance.now();
    this.#pinged = false;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#outbox.drop();
    for (const [, handle] of this.#open.entries()) this.#host.requests.cancel(handle);
    this.#open.clear();
    this.#watches.clear();
    this.#paging.clear();
    this.#host.ended(this);
  }
}
