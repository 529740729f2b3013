import { assert } from '@skerry/base';

/** Limits of a direct link. All are positive; there is no "unlimited". */
export interface DirectLinkLimits {
  /** A larger frame is dropped by its sender; a larger message closes the connection that it came on. */
  readonly frameBytesMax: number;
  /** Bytes for one region that no socket has taken yet. Frames beyond are dropped and counted, never queued. */
  readonly unsentBytesMax: number;
  /** Connections accepted from the nodes of one region; more are refused with OVERLOADED. */
  readonly acceptedMax: number;
  /** A side that has said nothing for this long pings. */
  readonly pingMs: number;
  /** A connection on which nothing came for this long is dead. At least three times `pingMs`. */
  readonly deadMs: number;
  /** How long one contact may take to connect and greet. */
  readonly handshakeMs: number;
  /** First and longest pause after all contacts of a region were tried; each is drawn at random from its upper half. */
  readonly redialMsMin: number;
  readonly redialMsMax: number;
}

export const defaultDirectLinkLimits: DirectLinkLimits = {
  frameBytesMax: 8 * 1_024 * 1_024,
  unsentBytesMax: 16 * 1_024 * 1_024,
  acceptedMax: 64,
  pingMs: 300,
  deadMs: 1_000,
  handshakeMs: 1_000,
  redialMsMin: 20,
  redialMsMax: 500,
};

/** The defaults with these changes; throws where they do not fit together. */
export function directLinkLimits(changes: Partial<DirectLinkLimits> = {}): DirectLinkLimits {
  const limits = { ...defaultDirectLinkLimits, ...changes };
  const { frameBytesMax, unsentBytesMax, pingMs, deadMs, redialMsMin, redialMsMax } = limits;
  assert(unsentBytesMax >= 2 * frameBytesMax, 'two frames must have room', { frameBytesMax, unsentBytesMax });
  assert(deadMs >= 3 * pingMs, 'deadMs must be at least three times pingMs', { pingMs, deadMs });
  assert(redialMsMax >= redialMsMin, 'redialMsMax must not be below redialMsMin', { redialMsMin, redialMsMax });
  return limits;
}
