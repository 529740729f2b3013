import type { RawData, WebSocket } from 'ws';
import { closeReason, readHello, refusalCloseCode, type PeerHello, type PeerRefusal } from './handshake.ts';

export interface GreetingOptions {
  readonly own: PeerHello;
  readonly handshakeMs: number;
  /** Greets first, as whoever dialled does; otherwise answers a hello that is fine with its own. */
  readonly first: boolean;
  /** The last word: null admits. */
  readonly check: (hello: PeerHello) => Promise<PeerRefusal | null>;
  /** Says nothing at all to this one, as behind a dead cable. */
  readonly ignore: (hello: PeerHello) => boolean;
}

export interface Greeted {
  readonly hello: PeerHello;
  /** Frames that came right behind the hello, to be taken before any other. */
  readonly early: readonly { readonly data: RawData; readonly isBinary: boolean }[];
}

/** What whoever dialled says once it has found the answer to its hello in order. */
const ready = '{"ready":true}';

/**
 * The handshake on an open socket: hello, hello, ready; so neither side takes part before both have admitted the other.
 * Resolves to the other side's hello with the socket paused, so that no frame is lost before the caller listens; or to
 * why there is none, with the socket closed.
 */
export async function greet(socket: WebSocket, options: GreetingOptions): Promise<Greeted | PeerRefusal> {
  const { own, first, check, ignore, handshakeMs } = options;
  const opening = new Opening(socket);
  try {
    if (first) socket.send(JSON.stringify(own));
    const text = await opening.nextText(handshakeMs);
    if (typeof text !== 'string') return refuse(socket, text);
    const hello = readHello(text, own);
    if ('code' in hello) return refuse(socket, hello);
    if (ignore(hello)) {
      setTimeout(() => socket.terminate(), handshakeMs).unref();
      return { code: 'TIMEOUT', detail: 'cut off by fault injection' };
    }
    const refusal = await check(hello);
    if (refusal !== null) return refuse(socket, refusal);
    if (socket.readyState !== socket.OPEN)
      return { code: 'TIMEOUT', detail: 'the connection ended during the handshake' };
    if (first) {
      socket.send(ready);
      return { hello, early: opening.take() };
    }
    socket.send(JSON.stringify(own));
    const answer = await opening.nextText(handshakeMs);
    if (typeof answer !== 'string') return refuse(socket, answer);
    if (answer !== ready) return refuse(socket, { code: 'MALFORMED_FRAME', detail: 'the second frame is not ready' });
    return { hello, early: opening.take() };
  } finally {
    opening.stop();
  }
}

function refuse(socket: WebSocket, refusal: PeerRefusal): PeerRefusal {
  if (socket.isPaused) socket.resume();
  socket.close(refusalCloseCode, closeReason(refusal.code, refusal.detail));
  return refusal;
}

type Frame = Greeted['early'][number];

/** The frames of a handshake, one by one; the socket is paused except while one is waited for. */
class Opening {
  readonly #socket: WebSocket;
  #frames: Frame[] = [];
  /** Called when a frame or the end came. */
  #wake: (() => void) | null = null;
  #closed: PeerRefusal | null = null;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', this.#onMessage);
    socket.on('close', this.#onClose);
  }

  /** The next frame, which must be text; or why it is not there. */
  async nextText(timeoutMs: number): Promise<string | PeerRefusal> {
    if (this.#frames.length === 0 && this.#closed === null) await this.#wait(timeoutMs);
    const frame = this.#frames.shift();
    if (frame === undefined) return this.#closed ?? { code: 'TIMEOUT', detail: 'no hello came' };
    if (frame.isBinary) return { code: 'MALFORMED_FRAME', detail: 'the first frame is not a hello' };
    return (frame.data as Buffer).toString();
  }

  /** What came beyond the handshake; later frames are the caller's. */
  take(): Frame[] {
    this.stop();
    return this.#frames;
  }

  stop(): void {
    this.#socket.off('message', this.#onMessage);
    this.#socket.off('close', this.#onClose);
  }

  async #wait(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    if (this.#socket.isPaused) this.#socket.resume();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
  }

  readonly #onMessage = (data: RawData, isBinary: boolean): void => {
    // Pausing stops the socket, not the frames of the chunk that was read with this one.
    this.#socket.pause();
    this.#frames.push({ data, isBinary });
    this.#wake?.();
  };

  readonly #onClose = (code: number, reason: Buffer): void => {
    this.#closed = readRefusal(code, reason.toString());
    this.#wake?.();
  };
}

/** Why the other side closed instead of greeting. */
function readRefusal(code: number, reason: string): PeerRefusal {
  const at = reason.indexOf(': ');
  if (code !== refusalCloseCode || at < 1) return { code: 'TIMEOUT', detail: `the connection ended (${code})` };
  return { code: reason.slice(0, at) as PeerRefusal['code'], detail: `says the other side: ${reason.slice(at + 2)}` };
}
