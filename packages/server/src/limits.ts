/** Limits of one client connection unless said otherwise. All are positive; there is no "unlimited". */
export interface ClientLimits {
  /** WebSocket connections of clients; more are refused with OVERLOADED. */
  readonly connectionsMax: number;
  /** A larger frame closes the connection with FRAME_TOO_LARGE. */
  readonly frameBytesMax: number;
  /** Open requests of one connection, watches included; more are refused with OVERLOADED. */
  readonly requestsOpenMax: number;
  /** Answers that the client has not read. Above this the node stops reading what the client asks. */
  readonly unreadBytesPause: number;
  /** Above this a connection is closed with SLOW_CONSUMER when watched changes come. Pages of a watched state wait instead. */
  readonly unreadBytesMax: number;
  /** A client that leaves reading paused for this long is closed with SLOW_CONSUMER. */
  readonly slowConsumerMs: number;
  /** A connection that says no hello for this long is closed with IDLE. */
  readonly handshakeMs: number;
  /** An idle connection is pinged after this long, and closed with IDLE when it then stays silent for as long again. */
  readonly pingMs: number;
  /** Bytes of an HTTP request body that is not a value: swap, resolve, members. */
  readonly httpJsonBytesMax: number;
}

export const defaultClientLimits: ClientLimits = {
  connectionsMax: 20_000,
  frameBytesMax: 4 * 1_024 * 1_024,
  requestsOpenMax: 1_024,
  unreadBytesPause: 4 * 1_024 * 1_024,
  unreadBytesMax: 32 * 1_024 * 1_024,
  slowConsumerMs: 10_000,
  handshakeMs: 5_000,
  pingMs: 10_000,
  httpJsonBytesMax: 2 * 1_024 * 1_024,
};

/** Limits of one connection between two nodes. */
export interface PeerLimits {
  /** A larger frame closes the connection. */
  readonly frameBytesMax: number;
  /** Bytes not yet taken by the socket. Above this messages are dropped, which raft tolerates, rather than queued. */
  readonly unsentBytesMax: number;
  /** A connection on which nothing came for this long is pinged. */
  readonly pingMs: number;
  /** A connection on which nothing came for this long is dead. */
  readonly deadMs: number;
  readonly handshakeMs: number;
  /** First and longest pause between two attempts to connect; each is drawn at random from its upper half. */
  readonly redialMsMin: number;
  readonly redialMsMax: number;
}

export const defaultPeerLimits: PeerLimits = {
  frameBytesMax: 256 * 1_024 * 1_024,
  unsentBytesMax: 64 * 1_024 * 1_024,
  pingMs: 1_000,
  deadMs: 3_000,
  handshakeMs: 2_000,
  redialMsMin: 20,
  redialMsMax: 500,
};
