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

/**
 * The handshake on an open socket. Resolves to the other side's hello with the socket paused, so that no frame is lost
 * before the caller listens; or to why there is none, with the socket closed.
 */
export async function greet(socket: WebSocket, options: GreetingOptions): Promise<Greeted | PeerRefusal> {
  const { own, first, check, ignore } = options;
  if (first) socket.send(JSON.stringify(own));
  const opening = await readOpening(socket, options.handshakeMs);
  if ('code' in opening) return refuse(socket, opening);
  const hello = readHello(opening.text, own);
  if ('code' in hello) return refuse(socket, hello);
  if (ignore(hello)) {
    setTimeout(() => socket.terminate(), options.handshakeMs).unref();
    return { code: 'TIMEOUT', detail: 'cut off by fault injection' };
  }
  const refusal = await check(hello);
  opening.stop();
  if (refusal !== null) return refuse(socket, refusal);
  if (socket.readyState !== socket.OPEN)
    return { code: 'TIMEOUT', detail: 'the connection ended during the handshake' };
  if (!first) socket.send(JSON.stringify(own));
  return { hello, early: opening.early };
}

function refuse(socket: WebSocket, refusal: PeerRefusal): PeerRefusal {
  if (socket.isPaused) socket.resume();
  socket.close(refusalCloseCode, closeReason(refusal.code, refusal.detail));
  return refusal;
}

interface Opening extends Pick<Greeted, 'early'> {
  /** The first frame, which must be text. */
  readonly text: string;
  /** Frames no longer go to `early`. */
  readonly stop: () => void;
}

/** Waits for the first frame and pauses the socket with it. */
function readOpening(socket: WebSocket, handshakeMs: number): Promise<Opening | PeerRefusal> {
  return new Promise((resolve) => {
    const early: { data: RawData; isBinary: boolean }[] = [];
    const stop = (): void => {
      socket.off('message', onMessage);
    };
    const settle = (result: Opening | PeerRefusal): void => {
      clearTimeout(timer);
      socket.off('close', onClose);
      if ('code' in result) stop();
      resolve(result);
    };
    let opened = false;
    const onMessage = (data: RawData, isBinary: boolean): void => {
      // Pausing stops the socket, not the frames of the chunk that was read with the hello.
      if (opened) early.push({ data, isBinary });
      else if (isBinary) settle({ code: 'MALFORMED_FRAME', detail: 'the first frame is not a hello' });
      else {
        opened = true;
        socket.pause();
        settle({ text: (data as Buffer).toString(), early, stop });
      }
    };
    const onClose = (code: number, reason: Buffer): void => settle(readRefusal(code, reason.toString()));
    const timer = setTimeout(() => settle({ code: 'TIMEOUT', detail: 'no hello came' }), handshakeMs);
    socket.on('message', onMessage);
    socket.on('close', onClose);
  });
}

/** Why the other side closed instead of greeting. */
function readRefusal(code: number, reason: string): PeerRefusal {
  const at = reason.indexOf(': ');
  if (code !== refusalCloseCode || at < 1) return { code: 'TIMEOUT', detail: `the connection ended (${code})` };
  return { code: reason.slice(0, at) as PeerRefusal['code'], detail: `says the other side: ${reason.slice(at + 2)}` };
}
