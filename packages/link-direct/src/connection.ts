import { DecodeError } from '@skerry/base';
import type { RawData, WebSocket } from 'ws';
import type { LinkCounters } from './counters.ts';
import { checkMessage, encodeMessage, frameHeaderBytes, framesOf } from './framing.ts';
import { closeReason, linkCloseCode, type LinkHello } from './hello.ts';
import type { DirectLinkLimits } from './limits.ts';

/** How long the other side may take to answer a close. */
const closeMsMax = 500;

export interface LinkConnectionOptions {
  /** Of the other side. */
  readonly hello: LinkHello;
  /** The contact that was dialled; null: the other side dialled. */
  readonly url: string | null;
  readonly limits: DirectLinkLimits;
  readonly counters: LinkCounters;
  readonly onFrame: (frame: Uint8Array) => void;
  /** Called once, when nothing comes or goes any more; `reason` is for people. */
  readonly onEnd: (connection: LinkConnection, reason: string) => void;
}

/**
 * A WebSocket between two nodes of two regions, after the handshake. Frames that are sent in one turn go out in one
 * message. Each side pings when it has said nothing else for a while, so silence is death; pings are not answered,
 * since an answer behind megabytes of entries on a narrow line would come too late.
 */
export class LinkConnection {
  readonly hello: LinkHello;
  readonly url: string | null;
  readonly startedAtMs: number = performance.now();
  readonly #socket: WebSocket;
  readonly #options: LinkConnectionOptions;
  /** The largest frame that both sides take. */
  readonly frameBytesMax: number;
  #frames: Uint8Array[] = [];
  #frameBytes = 0;
  #flushScheduled = false;
  #heardAtMs: number = this.startedAtMs;
  #saidAtMs: number = this.startedAtMs;
  #ended = false;
  #closed: () => void = () => {};
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>;

  constructor(socket: WebSocket, options: LinkConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.hello = options.hello;
    this.url = options.url;
    this.frameBytesMax = Math.min(options.limits.frameBytesMax, options.hello.frameBytesMax);
    this.closed = new Promise((resolve) => {
      this.#closed = resolve;
    });
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('ping', () => this.#heard());
    socket.on('close', (code, reason) => {
      this.#end(reason.length > 0 ? `says the other side: ${reason.toString()}` : `the connection ended (${code})`);
      this.#closed();
    });
    // What came was no WebSocket frame, or one beyond the limit, or the socket failed.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('WS_ERR_') === true) this.#options.counters.malformed++;
      this.#end(error.message);
      socket.terminate();
    });
  }

  /** Bytes taken and not yet taken by the socket. */
  get unsentBytes(): number {
    return this.#frameBytes + this.#frames.length * frameHeaderBytes + this.#socket.bufferedAmount;
  }

  /** False if there is no room: the frame is dropped. Its bytes must not change afterwards. */
  send(frame: Uint8Array): boolean {
    const { unsentBytesMax } = this.#options.limits;
    if (this.#ended || this.unsentBytes + frameHeaderBytes + frame.length > unsentBytesMax) return false;
    // A message is no larger than the largest frame, which bounds what the other side must hold at once.
    const messageBytes = this.#frameBytes + (this.#frames.length + 1) * frameHeaderBytes + frame.length;
    if (this.#frames.length > 0 && messageBytes > this.frameBytesMax + frameHeaderBytes) this.#flush();
    this.#frames.push(frame);
    this.#frameBytes += frame.length;
    if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      queueMicrotask(() => {
        this.#flushScheduled = false;
        this.#flush();
      });
    }
    return true;
  }

  /** Called every now and then: pings, or finds that the connection is dead. */
  check(nowMs: number): void {
    const { pingMs, deadMs } = this.#options.limits;
    if (nowMs - this.#heardAtMs > deadMs) {
      this.#end(`nothing came for ${Math.round(nowMs - this.#heardAtMs)} ms`);
      this.#socket.terminate();
    } else if (nowMs - this.#saidAtMs > pingMs) {
      this.#saidAtMs = nowMs;
      this.#socket.ping();
    }
  }

  /** Sends what was taken, then closes; the end is reported at once. */
  close(code: string, detail: string): void {
    this.#flush();
    this.#end(`${code}: ${detail}`, 0);
    this.#socket.close(linkCloseCode, closeReason(code, detail));
    setTimeout(() => this.#socket.terminate(), closeMsMax).unref();
  }

  /** Without a word. */
  terminate(reason: string): void {
    this.#end(reason);
    this.#socket.terminate();
  }

  #flush(): void {
    if (this.#frames.length === 0 || this.#ended) return;
    const { counters } = this.#options;
    const message = encodeMessage(this.#frames, this.#frameBytes);
    counters.framesSent += this.#frames.length;
    counters.messagesSent++;
    counters.bytesSent += message.length;
    this.#frames = [];
    this.#frameBytes = 0;
    this.#saidAtMs = performance.now();
    this.#socket.send(message);
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#ended) return;
    this.#heard();
    const { counters, onFrame } = this.#options;
    try {
      if (!isBinary || !Buffer.isBuffer(data)) throw new DecodeError('a message between regions is binary');
      checkMessage(data);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      counters.malformed++;
      this.close('MALFORMED_MESSAGE', error.message);
      return;
    }
    counters.bytesReceived += data.length;
    for (const frame of framesOf(data)) {
      counters.framesReceived++;
      onFrame(frame);
      // A cut, a close or the end of the whole link may be what the frame led to.
      if (this.#ended) return;
    }
  }

  #heard(): void {
    this.#heardAtMs = performance.now();
  }

  #end(reason: string, bytesLost: number = this.unsentBytes): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.counters.bytesLost += bytesLost;
    this.#frames = [];
    this.#frameBytes = 0;
    this.#options.onEnd(this, reason);
  }
}
