import type { RegionId } from '@skerry/base';
import type { LinkEffects, LinkEvents, RegionContacts, RegionDirectoryEntry, RegionLink } from '@skerry/replica';
import type { Logger } from 'pino';
import type { ServerConfig } from './config.ts';
import type { Upgrade } from './peers/listener.ts';

/** One link as the server needs it, of whichever kind. */
export interface NodeLink {
  readonly link: RegionLink;
  /** Takes connections of other regions at the peer listener; null: they do not come there. */
  readonly upgrade: Upgrade | null;
  /** Connections refused to others, by code. */
  readonly refusals: () => ReadonlyMap<string, number>;
  /** Which node of a region frames go to; null: it cannot be said. */
  readonly via: (region: RegionId) => string | null;
  /** Ends it without a word, as a crash would. */
  readonly terminate: () => void;
}

export type MakeLink = (config: ServerConfig, events: LinkEvents, log: Logger) => NodeLink;

/** Is there a log in links of this kind? Told to the replica before the link is made. */
export function linkHasLog({ link }: ServerConfig): boolean {
  return link === 'nats';
}

/** Each kind is loaded only where it is used: the client of NATS takes 15 MB of memory. */
export async function loadLink({ link }: ServerConfig): Promise<MakeLink> {
  switch (link) {
    case 'direct':
      return (await import('./links/direct.ts')).makeDirectLink;
    case 'nats':
      return (await import('./links/nats.ts')).makeNatsLink;
  }
}

/** How this node stands to the other regions: hands effects to the link, and remembers what it told. */
export class RegionLinks {
  readonly #node: NodeLink;
  readonly #up: Set<RegionId> = new Set();
  readonly #cut: Set<RegionId> = new Set();
  #known: readonly RegionId[] = [];

  constructor(make: (events: LinkEvents) => NodeLink, events: LinkEvents) {
    this.#node = make({
      ...events,
      regionUp: (region) => {
        this.#up.add(region);
        events.regionUp(region);
      },
      regionDown: (region) => {
        this.#up.delete(region);
        events.regionDown(region);
      },
    });
  }

  get upgrade(): Upgrade | null {
    return this.#node.upgrade;
  }

  carryOut({ frames, batches, subscriptions }: LinkEffects): void {
    const { link } = this.#node;
    for (const { region, frame } of frames) link.send(region, frame);
    for (const batch of batches) link.log?.publish(batch);
    for (const { partition, origin, from } of subscriptions) link.log?.subscribe(partition, origin, from);
  }

  setRegions(entries: readonly RegionDirectoryEntry[]): void {
    // Those that were evicted too: when they come back they must be told so, or they are never seeded anew.
    const others = entries.filter(({ self }) => !self);
    this.#known = others.map(({ region }) => region);
    this.#node.link.setRegions(others.map(contactsOf));
  }

  /** All that are linked, and whether they are up. */
  describe(): { readonly region: RegionId; readonly up: boolean; readonly via: string | null }[] {
    return this.#known.map((region) => ({ region, up: this.#up.has(region), via: this.#node.via(region) }));
  }

  cut(region: RegionId): void {
    this.#cut.add(region);
    this.#node.link.cut(region);
  }

  heal(region: RegionId): void {
    this.#cut.delete(region);
    this.#node.link.heal(region);
  }

  cutRegions(): RegionId[] {
    return [...this.#cut];
  }

  metrics(): Readonly<Record<string, number>> {
    return { ...this.#node.link.metrics(), link_regions_up: this.#up.size };
  }

  refusals(): ReadonlyMap<string, number> {
    return this.#node.refusals();
  }

  close(): Promise<void> {
    return this.#node.link.close();
  }

  terminate(): void {
    this.#node.terminate();
  }
}

/** The nodes that the region tells of first; what was configured for it also, should it have moved as a whole. */
export function contactsOf({ region, nodes, urls }: RegionDirectoryEntry): RegionContacts {
  return { region, urls: [...new Set([...nodes.map(({ peerUrl }) => peerUrl), ...urls])] };
}
