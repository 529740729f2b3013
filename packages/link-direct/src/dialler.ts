import type { IncomingMessage } from 'node:http';
import { randomFloat, randomInt, type Random, type RegionId } from '@skerry/base';
import { WebSocket } from 'ws';
import { frameHeaderBytes } from './framing.ts';
import {
  helloHeader,
  linkPath,
  readHello,
  readRefusal,
  wantedHeader,
  type LinkHello,
  type LinkRefusal,
} from './hello.ts';
import type { DirectLinkLimits } from './limits.ts';

export interface DiallerOptions {
  readonly region: RegionId;
  readonly own: LinkHello;
  readonly limits: DirectLinkLimits;
  readonly random: Random;
  /** A contact has greeted. Dialling has ended; {@link RegionDialler.resume} begins it again. */
  readonly onOpen: (socket: WebSocket, hello: LinkHello, url: string) => void;
  readonly onRefused: (url: string, refusal: LinkRefusal) => void;
}

/** A connection that lived for this long was a good one. */
const settledMs = 1_000;

/**
 * Dials the contacts of a region in turn until one greets. The first is drawn at random, so that the nodes of this
 * region do not all lean on one node of that. After each round without success there is a pause, longer each time.
 */
export class RegionDialler {
  readonly #options: DiallerOptions;
  #contacts: readonly string[] = [];
  #index = 0;
  /** Attempts in a row that led to nothing. */
  #failures = 0;
  #openedAtMs = Number.NEGATIVE_INFINITY;
  #active = false;
  /** What goes on at present: one of these or neither. */
  #timer: NodeJS.Timeout | null = null;
  #socket: WebSocket | null = null;
  #url = '';

  constructor(options: DiallerOptions) {
    this.#options = options;
  }

  setContacts(urls: readonly string[]): void {
    if (urls.length === this.#contacts.length && urls.every((url, i) => url === this.#contacts[i])) return;
    this.#contacts = [...urls];
    this.#index = urls.length === 0 ? 0 : randomInt(this.#options.random, 0, urls.length - 1);
    this.#failures = 0;
    if (this.#socket !== null && urls.includes(this.#url)) return;
    const wasActive = this.#active;
    this.stop();
    if (wasActive) this.resume();
  }

  /** Dials now, unless it does already, or a connection ended as soon as it was made. */
  resume(): void {
    if (this.#active) return;
    this.#active = true;
    if (performance.now() - this.#openedAtMs > settledMs) this.#failures = 0;
    this.#dialNext();
  }

  /** Forgets how often it was in vain. */
  reset(): void {
    this.#failures = 0;
    this.#openedAtMs = Number.NEGATIVE_INFINITY;
  }

  stop(): void {
    this.#active = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.terminate();
  }

  /** At once, unless a round is over. */
  #dialNext(): void {
    const count = this.#contacts.length;
    if (count === 0) return;
    const rounds = Math.floor(this.#failures / count);
    if (this.#failures % count > 0 || rounds === 0) {
      this.#dial();
      return;
    }
    this.#timer = setTimeout(() => this.#dial(), redialPauseMs(rounds, this.#options));
  }

  #dial(): void {
    this.#timer = null;
    const { region, own, limits, onOpen } = this.#options;
    const url = this.#contacts[this.#index % this.#contacts.length] ?? '';
    this.#index++;
    this.#failures++;
    this.#url = url;
    const socket = open(url, region, own, limits);
    if (socket === null) {
      this.#failed(null, url, { code: 'UNREACHABLE', detail: 'not an address' });
      return;
    }
    this.#socket = socket;
    let greeting: LinkHello | LinkRefusal = { code: 'UNREACHABLE', detail: 'no answer' };
    socket.on('upgrade', ({ headers }: IncomingMessage) => {
      greeting = readHello(headers, own);
      if (!('code' in greeting) && greeting.region !== region)
        greeting = { code: 'WRONG_REGION', detail: `${greeting.region} listens there` };
    });
    socket.on('unexpected-response', (_request, { headers, statusCode }: IncomingMessage) => {
      greeting = readRefusal(headers, statusCode ?? 0);
      socket.terminate();
    });
    socket.on('error', (error) => {
      if ('code' in greeting && greeting.detail === 'no answer')
        greeting = {
          code: 'UNREACHABLE',
          detail: error.message === '' ? String((error as NodeJS.ErrnoException).code) : error.message,
        };
      socket.terminate();
    });
    const onClose = (): void => this.#failed(socket, url, greeting as LinkRefusal);
    socket.once('close', onClose);
    socket.once('open', () => {
      if (this.#socket !== socket || 'code' in greeting) {
        socket.terminate();
        return;
      }
      socket.off('close', onClose);
      this.#socket = null;
      this.#active = false;
      this.#openedAtMs = performance.now();
      onOpen(socket, greeting, url);
    });
  }

  #failed(socket: WebSocket | null, url: string, refusal: LinkRefusal): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#options.onRefused(url, refusal);
    if (this.#active) this.#dialNext();
  }
}

/** Exponential, with jitter: the nodes of a region must not all come at once to one that is back. */
export function redialPauseMs(rounds: number, { limits, random }: Pick<DiallerOptions, 'limits' | 'random'>): number {
  const pauseMs = Math.min(limits.redialMsMax, limits.redialMsMin * 2 ** (rounds - 1));
  return pauseMs * (0.5 + randomFloat(random) / 2);
}

function open(url: string, region: RegionId, own: LinkHello, limits: DirectLinkLimits): WebSocket | null {
  try {
    return new WebSocket(new URL(linkPath, url), {
      headers: { [helloHeader]: JSON.stringify(own), [wantedHeader]: region },
      perMessageDeflate: false,
      maxPayload: limits.frameBytesMax + frameHeaderBytes,
      handshakeTimeout: limits.handshakeMs,
      autoPong: false,
      // A mask of zeros costs no pass over the bytes. Masks protect web proxies from browser scripts (RFC 6455,
      // section 10.3); between nodes there are neither.
      generateMask: () => {},
    });
  } catch (error) {
    // An address that another region's nodes gave need not be one.
    if (error instanceof TypeError || error instanceof SyntaxError) return null;
    throw error;
  }
}
