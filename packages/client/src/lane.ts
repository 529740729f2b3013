import type { RegionId } from '@skerry/base';
import type { LinkOptions } from './link.ts';
import type { SessionToken } from './token.ts';

export interface DispatcherOptions extends LinkOptions {
  /** A blocking consistent call that is unanswered for this long looks for another node. */
  readonly stallMs: number;
  /** How long a read waits for what the session has seen elsewhere, unless the call says. */
  readonly catchUpMs: number;
  /** How long an unused connection is kept. */
  readonly lingerMs: number;
}

/** One region as its dispatcher is given it. */
export interface Lane {
  /** null: that of the first welcome. */
  readonly region: RegionId | null;
  readonly urls: (region: RegionId | null) => readonly string[];
  readonly roundTripMs: (region: RegionId) => number | null;
  readonly token: SessionToken;
}
