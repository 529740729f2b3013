import type { Random } from '@skerry/base';

/** What the client needs of where it runs; tests put a scripted one in its place. */
export interface Host {
  /** Milliseconds from any origin; never goes back. */
  readonly nowMs: () => number;
  /** Returns what cancels it. */
  readonly setTimer: (delayMs: number, run: () => void) => () => void;
  /** Runs once, after what the current turn of the event loop still does. */
  readonly endOfTurn: (run: () => void) => void;
  readonly random: Random;
  readonly openSocket: OpenSocket;
}

/** Opens a WebSocket. Exactly one `onClose` comes, also when it never opened; nothing comes after it. */
export type OpenSocket = (url: string, listener: SocketListener) => Socket;

export interface SocketListener {
  readonly onOpen: () => void;
  readonly onFrame: (bytes: Uint8Array) => void;
  readonly onClose: (detail: string) => void;
}

export interface Socket {
  readonly send: (bytes: Uint8Array) => void;
  /** Bytes that are not on the wire yet. */
  readonly bufferedBytes: () => number;
  readonly close: () => void;
}
