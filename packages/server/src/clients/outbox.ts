import { encodeFrame, type ServerMessage } from '@skerry/protocol';
import type { WebSocket } from 'ws';
import type { ClientLimits } from '../limits.ts';
import { answerBytes } from './answer-bytes.ts';

/** A frame is closed when its messages come to about this many bytes, so that progress can be seen frame by frame. */
const frameBytes = 1_024 * 1_024;

/**
 * What one client is to be sent. Messages of a turn go as one frame, or a few when they are large; when the client does
 * not read, they wait here, and the client's own requests are not read meanwhile.
 */
export class Outbox {
  readonly #socket: WebSocket;
  readonly #limits: ClientLimits;
  /** Called when the socket took a frame and {@link low} is true. */
  readonly #onLow: () => void;
  #waiting: ServerMessage[] = [];
  /** About, of `#waiting`. */
  #waitingBytes = 0;
  /** When the socket last took a frame while there was too much in it; null while it takes what it gets. */
  #stuckSinceMs: number | null = null;

  constructor(socket: WebSocket, limits: ClientLimits, onLow: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#onLow = onLow;
  }

  /** True while the client's requests are not read. */
  get stuck(): boolean {
    return this.#stuckSinceMs !== null;
  }

  /** Sent by the next {@link flush}. */
  push(message: ServerMessage): void {
    this.#waiting.push(message);
    this.#waitingBytes += message.kind === 'answer' ? answerBytes(message.answer) : 0;
  }

  /** True if so much waits that nothing may be added that the client did not ask for one by one. */
  get full(): boolean {
    return this.#waitingBytes + this.#socket.bufferedAmount > this.#limits.unreadBytesMax;
  }

  /** True if so little waits that the next page of a watched state may be asked for. */
  get low(): boolean {
    return this.#waitingBytes + this.#socket.bufferedAmount <= this.#limits.unreadBytesPause / 4;
  }

  /** True if the client has taken nothing for longer than it may. */
  overdue(nowMs: number): boolean {
    return this.#stuckSinceMs !== null && nowMs - this.#stuckSinceMs > this.#limits.slowConsumerMs;
  }

  flush(): void {
    while (this.#waiting.length > 0) {
      if (this.#socket.readyState !== this.#socket.OPEN) return;
      if (this.#socket.bufferedAmount > this.#limits.unreadBytesPause) {
        this.#pause();
        return;
      }
      this.#socket.send(encodeFrame(this.#takeFrame()), () => this.#taken());
    }
  }

  /** Sends everything now, whatever waits; the last act of a connection. */
  flushAll(): void {
    if (this.#waiting.length === 0 || this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(encodeFrame(this.#waiting));
    this.drop();
  }

  /** Nothing of what waits is sent. */
  drop(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #takeFrame(): ServerMessage[] {
    if (this.#waitingBytes <= frameBytes) {
      const all = this.#waiting;
      this.drop();
      return all;
    }
    let bytes = 0;
    let count = 0;
    for (const message of this.#waiting) {
      bytes += message.kind === 'answer' ? answerBytes(message.answer) : 0;
      count++;
      if (bytes >= frameBytes) break;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  #pause(): void {
    if (this.#stuckSinceMs !== null) return;
    this.#stuckSinceMs = performance.now();
    this.#socket.pause();
  }

  /** The socket took a frame. */
  #taken(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#stuckSinceMs !== null) this.#goOn();
    if (this.low) this.#onLow();
  }

  #goOn(): void {
    this.#stuckSinceMs = performance.now();
    if (this.#socket.bufferedAmount > this.#limits.unreadBytesPause / 2) return;
    this.#stuckSinceMs = null;
    this.#socket.resume();
    this.flush();
  }
}
