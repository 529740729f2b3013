import { randomFloat, type Random } from '@skerry/base';
import { WebSocket } from 'ws';
import type { PeerLimits } from '../limits.ts';

export interface DiallerOptions {
  readonly url: string;
  readonly limits: PeerLimits;
  readonly random: Random;
  /** A connection is open; true if it became a link, so that dialling ends until {@link Dialler.resume}. */
  readonly onOpen: (socket: WebSocket) => Promise<boolean>;
}

/** A link that lived for this long was a good one: the next back-off starts anew. */
const settledMs = 1_000;

/** Dials one address until there is a connection, with jittered exponential back-off. */
export class Dialler {
  readonly url: string;
  readonly #options: DiallerOptions;
  #attempts = 0;
  #connectedAtMs = Number.NEGATIVE_INFINITY;
  /** What goes on at present; null when nothing does. */
  #timer: NodeJS.Timeout | null = null;
  #socket: WebSocket | null = null;
  #paused = true;
  #stopped = false;

  constructor(options: DiallerOptions) {
    this.url = options.url;
    this.#options = options;
  }

  /** Dials now, unless it does already. */
  resume(): void {
    if (this.#stopped || !this.#paused) return;
    this.#paused = false;
    if (performance.now() - this.#connectedAtMs > settledMs) this.#attempts = 0;
    // Still busy when paused and resumed in the middle of an attempt.
    if (this.#socket !== null) return;
    if (this.#attempts === 0) this.#dial();
    else this.#dialLater();
  }

  /** Lets an attempt under way end, but begins none. */
  pause(): void {
    this.#paused = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  stop(): void {
    this.pause();
    this.#stopped = true;
  }

  #dialLater(): void {
    const { limits, random } = this.#options;
    const delayMs = Math.min(limits.redialMsMax, limits.redialMsMin * 2 ** (this.#attempts - 1));
    this.#timer = setTimeout(() => this.#dial(), delayMs * (0.5 + randomFloat(random) / 2));
  }

  #dial(): void {
    this.#timer = null;
    this.#attempts++;
    const { limits, onOpen } = this.#options;
    const socket = new WebSocket(this.url, {
      perMessageDeflate: false,
      maxPayload: limits.frameBytesMax,
      handshakeTimeout: limits.handshakeMs,
      autoPong: false,
      // A mask of zeros costs no pass over the bytes. Masks protect web proxies from browser scripts (RFC 6455,
      // section 10.3); between nodes there are neither.
      generateMask: () => {},
    });
    this.#socket = socket;
    let opened = false;
    socket.on('error', () => socket.terminate());
    socket.once('close', () => {
      if (!opened) this.#settled(false);
    });
    socket.once('open', () => {
      opened = true;
      void onOpen(socket).then((linked) => this.#settled(linked));
    });
  }

  #settled(linked: boolean): void {
    this.#socket = null;
    if (linked) {
      this.#connectedAtMs = performance.now();
      this.pause();
    } else if (!this.#paused) this.#dialLater();
  }
}
