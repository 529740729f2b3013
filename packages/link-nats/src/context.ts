import type { NodeId, RegionId } from '@skerry/base';
import type { LinkEvents } from '@skerry/replica';
import type { LinkCounters } from './counters.ts';
import type { NatsLinkLimits, NatsLinkTiming } from './limits.ts';
import type { Names } from './names.ts';

/** The part of a logger that the link uses; pino's fits. */
export interface LinkLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What all parts of one link share. */
export interface LinkContext {
  readonly names: Names;
  /** The region of this node. */
  readonly region: RegionId;
  /** Name of this node, for others to show; null: not told. */
  readonly node: NodeId | null;
  readonly limits: NatsLinkLimits;
  readonly timing: NatsLinkTiming;
  /** Silent once the link is closed. */
  readonly events: LinkEvents;
  readonly logger: LinkLogger;
  readonly counters: LinkCounters;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
