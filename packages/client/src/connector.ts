import type { RegionId } from '@skerry/base';
import type { MembersMessage, ServerMessage, WelcomeMessage } from '@skerry/protocol';
import { backOffMs } from './call.ts';
import { endpointUrls } from './directory.ts';
import type { Host } from './host.ts';
import { Link, type LinkEnd, type LinkOptions } from './link.ts';

/** Where to dial, asked anew each time. */
export interface Addresses {
  /** The region to connect to; null: that of the first welcome. */
  readonly region: () => RegionId | null;
  /** In order of preference. */
  readonly urls: () => readonly string[];
  /** How far the region is, if that is known. */
  readonly roundTripMs: () => number | null;
}

export interface ConnectorListener {
  /** From now on requests go over this link. */
  readonly onUp: (link: Link, welcome: WelcomeMessage) => void;
  readonly onMessages: (link: Link, messages: readonly ServerMessage[]) => void;
  readonly onDown: (link: Link) => void;
  /** An attempt to connect failed; nothing is connected. */
  readonly onFailure: (end: LinkEnd, url: string) => void;
  /** A node of another region than the one that is wanted took the call. */
  readonly onForeign: (url: string, region: RegionId) => void;
}

/** For the welcome of a node in the first round of all endpoints; doubles with each round. */
const hastyOpenMs = 250;
/** After so long without a welcome the next endpoint is dialled beside: as many round trips as a greeting takes, within these. */
const staggerRoundTrips = 4;
const staggerMsMin = 50;
const staggerMsMax = 250;
const staggerMsDefault = 100;
/** At most this often a connection is left because its node is suspect: where all are slow, going round helps nobody. */
const suspectEveryMs = 500;
/** A region of which no endpoint is known: one may be announced. */
const noEndpointPauseMs = 1_000;

/**
 * Keeps one connection to one node of a region: dials endpoint after endpoint, each a little after the one before, until one
 * welcomes, with jittered back-off after each full round. {@link moveOn} goes over to another node without a gap: the old
 * link serves until the new one is up. It does nothing until it is woken.
 */
export class Connector {
  readonly #host: Host;
  readonly #options: LinkOptions;
  readonly #listener: ConnectorListener;
  readonly #addresses: Addresses;
  /** Who leads most partitions, as last told: surely in contact with a quorum then, so worth trying first after a loss. */
  #leader: string | null = null;
  #current: Link | null = null;
  readonly #dials = new Set<Link>();
  /** Endpoints that are still to be dialled in this round. */
  #round: string[] = [];
  /** The endpoint that was dialled last: a round begins behind it. */
  #last: string | null = null;
  /** Rounds in a row in which nobody welcomed. */
  #roundsFailed = 0;
  /** When to dial the next endpoint of the round, or, when there is none, to begin another round. */
  #dialDueMs = 0;
  #suspectDueMs = 0;
  #awake = false;

  constructor(
    addresses: Addresses,
    { host, options, listener }: { host: Host; options: LinkOptions; listener: ConnectorListener },
  ) {
    this.#addresses = addresses;
    this.#host = host;
    this.#options = options;
    this.#listener = listener;
  }

  get current(): Link | null {
    return this.#current;
  }

  /** Nothing is connected, or what is connected may be dead. */
  isInTrouble(nowMs: number): boolean {
    return this.#current === null || this.#current.isSuspect(nowMs);
  }

  /** Who leads is worth trying first after a loss. */
  setLeaders({ members, leaders }: Pick<MembersMessage, 'members' | 'leaders'>): void {
    const led = (node: string): number => leaders.filter((leader) => leader === node).length;
    const [busiest] = [...members].sort((a, b) => led(b.node) - led(a.node));
    this.#leader =
      busiest === undefined || led(busiest.node) === 0 ? null : (endpointUrls([busiest.clientUrl])[0] ?? null);
  }

  /** Every endpoint was dialled, since there was trouble or the last round began. */
  hasTriedAll(nowMs: number): boolean {
    return this.#roundsFailed > 0 || (this.#round.length === 0 && nowMs >= this.#dialDueMs);
  }

  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#roundsFailed = 0;
    this.#round = [];
    this.#dialDueMs = this.#host.nowMs();
  }

  /** Ends the connection, and dials no more until it is woken. */
  rest(detail: string): void {
    this.#awake = false;
    this.#round = [];
    for (const link of this.#dials) link.close(detail);
    this.#current?.close(detail);
  }

  /** The node that is connected does badly: look for another one. Does nothing when there is none, or while one is looked for. */
  moveOn(): void {
    if (this.#current === null || this.#dials.size > 0) return;
    this.#seek(this.#others(this.#current.url));
  }

  /** Asks for another welcome, of the same node or, if there is one, of another. The current link serves until it comes. */
  greetAgain(whom: 'again' | 'elsewhere'): void {
    if (this.#current === null || this.#dials.size > 0) return;
    const others = whom === 'again' ? [] : this.#others(this.#current.url);
    this.#seek(others.length === 0 ? [this.#current.url] : others);
  }

  /** Dials when it is time to, and checks liveness; returns when to call it again. */
  tick(nowMs: number): number {
    if (!this.#awake) return Number.POSITIVE_INFINITY;
    if (nowMs >= this.#dialDueMs) this.#dialNext(nowMs);
    const currentMs = Math.min(this.#current?.tick(nowMs) ?? Number.POSITIVE_INFINITY, this.#leaveSuspect(nowMs));
    const diallingMs = [...this.#dials].map((link) => link.tick(nowMs));
    const dialMs =
      this.#round.length > 0 || (this.#current === null && this.#dials.size === 0)
        ? this.#dialDueMs
        : Number.POSITIVE_INFINITY;
    return Math.min(dialMs, currentMs, ...diallingMs);
  }

  /** It may be paused or cut off: whoever else answers first is taken. Returns when to call it again. */
  #leaveSuspect(nowMs: number): number {
    if (this.#current?.isSuspect(nowMs) !== true || this.#dials.size > 0) return Number.POSITIVE_INFINITY;
    if (nowMs < this.#suspectDueMs) return this.#suspectDueMs;
    this.#suspectDueMs = nowMs + suspectEveryMs;
    this.moveOn();
    return this.#suspectDueMs;
  }

  #seek(urls: readonly string[]): void {
    this.#round = [...urls];
    this.#dialNext(this.#host.nowMs());
  }

  /** All endpoints but `url`: the leader first, then in their order from the one behind that which was dialled last. */
  #others(url: string | null): string[] {
    const urls = this.#addresses.urls();
    const start = urls.indexOf(this.#last ?? '') + 1;
    const turned = [...urls.slice(start), ...urls.slice(0, start)].filter((each) => each !== url);
    const leader = this.#leader;
    return leader !== null && turned.includes(leader) ? [leader, ...turned.filter((each) => each !== leader)] : turned;
  }

  #dialNext(nowMs: number): void {
    if (this.#round.length === 0) {
      if (this.#current !== null || this.#dials.size > 0) return;
      this.#round = this.#others(null);
    }
    const url = this.#round.shift();
    if (url === undefined) {
      this.#dialDueMs = nowMs + noEndpointPauseMs;
      return;
    }
    this.#last = url;
    this.#dialDueMs = nowMs + this.#staggerMs();
    const link = new Link(url, {
      host: this.#host,
      options: { ...this.#options, openTimeoutMs: this.#openTimeoutMs() },
      listener: {
        onWelcome: (welcome) => {
          this.#up(link, welcome);
        },
        onMessages: (messages) => {
          if (link === this.#current) this.#listener.onMessages(link, messages);
        },
        onDown: (end) => {
          this.#down(link, end);
        },
      },
    });
    this.#dials.add(link);
    link.tick(nowMs);
  }

  #staggerMs(): number {
    const roundTripMs = this.#addresses.roundTripMs();
    return roundTripMs === null
      ? staggerMsDefault
      : Math.min(staggerMsMax, Math.max(staggerMsMin, staggerRoundTrips * roundTripMs));
  }

  /** A node that is starting, stopping or paused may take the connection and not answer: not worth long while there are others. */
  #openTimeoutMs(): number {
    const { openTimeoutMs } = this.#options;
    if (this.#addresses.urls().length < 2) return openTimeoutMs;
    return Math.min(openTimeoutMs, hastyOpenMs * 2 ** Math.min(this.#roundsFailed, 10));
  }

  #up(link: Link, welcome: WelcomeMessage): void {
    const region = this.#addresses.region();
    if (region !== null && welcome.region !== region) {
      this.#listener.onForeign(link.url, welcome.region);
      link.close(`it is of ${welcome.region}`);
      return;
    }
    const before = this.#current;
    this.#current = link;
    this.#dials.delete(link);
    this.#round = [];
    this.#roundsFailed = 0;
    this.#last = link.url;
    for (const other of this.#dials) other.close('another one was faster');
    if (before !== null) {
      before.close('moved on');
      this.#listener.onDown(before);
    }
    this.setLeaders(welcome);
    this.#listener.onUp(link, welcome);
  }

  #down(link: Link, end: LinkEnd): void {
    const nowMs = this.#host.nowMs();
    if (link === this.#current) {
      this.#current = null;
      // What was lost is dialled again last.
      if (this.#dials.size === 0) this.#round = [...this.#others(link.url), link.url];
      this.#dialDueMs = nowMs;
      this.#listener.onDown(link);
    } else if (this.#dials.delete(link)) {
      // The next endpoint at once; after each round of all of them, wait.
      if (this.#round.length > 0) this.#dialDueMs = nowMs;
      else if (this.#dials.size === 0 && this.#current === null)
        this.#dialDueMs = nowMs + backOffMs(this.#roundsFailed++, this.#host.random);
      if (this.#current === null && this.#awake) this.#listener.onFailure(end, link.url);
    }
  }
}
