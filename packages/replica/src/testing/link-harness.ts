import type { RegionId } from '@skerry/base';
import type { LinkEvents, RegionLink } from '../ports/link.ts';

/**
 * What an implementation of the link port gives to `describeLink`: ends of the link over its real transport, and the
 * faults that only the transport can make. Faults that look the same above any link (a frame or a batch that comes
 * twice, late, in another order, or not) the suite makes itself, between the link and whoever listens to it.
 */
export interface LinkHarness {
  /** The largest frame that the link takes. Choose the link's limits small, so that tests reach them soon. */
  readonly frameBytesMax: number;
  /** The most that `link_unsent_bytes` may show for one region. */
  readonly unsentBytesMax: number;
  /** Starts the part of one node. It knows no other region until it is told by `setRegions`. */
  start(options: LinkEndpointOptions): Promise<LinkEndpoint>;
  readonly faults: LinkFaults;
  /** Ends what is still there, brokers included. */
  close(): Promise<void>;
}

export interface LinkEndpointOptions {
  readonly region: RegionId;
  /** Name of the node, unique in the region. */
  readonly node: string;
  readonly events: LinkEvents;
  /** Takes the address of this endpoint, which has crashed; otherwise a new one. */
  readonly inPlaceOf?: LinkEndpoint;
}

/** One node's part. */
export interface LinkEndpoint {
  readonly region: RegionId;
  readonly link: RegionLink;
  /** For `RegionContacts.urls` of others. */
  readonly url: string;
  /** Ends it as a crash of its process would: without a word, what it held in memory lost. */
  crash(): Promise<void>;
}

export interface LinkFaults {
  /** Brings something to `to`, by the way that frames come, that no link would send. Resolves when it has been sent. */
  garbage(to: LinkEndpoint): Promise<void>;
  /** `of` reads from now on so slowly that others cannot get rid of what they send it; until the result is called. */
  slowReader(of: LinkEndpoint): () => void;
  /** Faults of the log. Present if the link has one. */
  readonly log?: {
    /** What is published is acknowledged or not, and nobody gets it; until the result is called. */
    stall(): Promise<() => Promise<void>>;
    /** All that the log holds for `region` is gone; numbering goes on. */
    purge(region: RegionId): Promise<void>;
    /** The log of `region` is deleted and made anew, empty, numbering from the start. */
    recreate(region: RegionId): Promise<void>;
  };
}

/**
 * The names that every link uses in `metrics()`; more may be there.
 *
 * | name | |
 * | --- | --- |
 * | `link_frames_sent_total` | frames given to the transport |
 * | `link_frames_received_total` | frames delivered |
 * | `link_frames_dropped_total` | frames given to `send` and not to the transport, for whatever reason |
 * | `link_malformed_total` | what came and was no frame and no batch |
 * | `link_unsent_bytes` | bytes given to the link that it holds in memory at present |
 */
export const linkMetricNames = [
  'link_frames_sent_total',
  'link_frames_received_total',
  'link_frames_dropped_total',
  'link_malformed_total',
  'link_unsent_bytes',
] as const;
