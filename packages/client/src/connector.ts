import type { Member, MembersMessage, ServerMessage, WelcomeMessage } from '@skerry/protocol';
import { backOffMs } from './call.ts';
import type { Host } from './host.ts';
import { Link, type LinkEnd, type LinkOptions } from './link.ts';

export interface ConnectorOptions extends LinkOptions {
  /** Also use the endpoints that nodes tell of. */
  readonly discover: boolean;
}

export interface ConnectorListener {
  /** From now on requests go over this link. `regionChanged`: it leads to another region than the one before. */
  readonly onUp: (link: Link, welcome: WelcomeMessage, regionChanged: boolean) => void;
  readonly onMessages: (link: Link, messages: readonly ServerMessage[]) => void;
  readonly onDown: (link: Link) => void;
  /** An attempt to connect failed; nothing is connected. */
  readonly onFailure: (end: LinkEnd, url: string) => void;
}

/** For the welcome of a node in the first round of all endpoints; doubles with each round. */
const hastyOpenMs = 250;
/** At most this often a connection is left because its node is suspect: where all are slow, going round helps nobody. */
const suspectEveryMs = 500;

/** Given endpoints come before those learned from the directory. `http:` is taken for `ws:`. */
export function endpointUrl(text: string): string {
  const url = new URL(text.includes('://') ? text : `ws://${text}`);
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw new TypeError(`not an endpoint: ${text}`);
  return url.href;
}

/**
 * Keeps one connection to one node: dials endpoint after endpoint until one welcomes, with jittered back-off after each
 * full round. {@link moveOn} goes over to another node without a gap: the old link serves until the new one is up.
 */
export class Connector {
  readonly #host: Host;
  readonly #options: ConnectorOptions;
  readonly #listener: ConnectorListener;
  readonly #given: readonly string[];
  #learned: readonly string[] = [];
  /** Who leads most partitions, as last told: surely in contact with a quorum then, so worth trying first after a loss. */
  #leader: string | null = null;
  /** The endpoint that was just lost: not the first to try. */
  #lost: string | null = null;
  /** The endpoint to try before the others. */
  #hint: string | null = null;
  #current: Link | null = null;
  #dialling: Link | null = null;
  /** Position in {@link urls} of the next endpoint to try. */
  #next = 0;
  #failuresInRow = 0;
  #dialDueMs = 0;
  #suspectDueMs = 0;
  #region: string | null = null;
  #closed = false;

  constructor(endpoints: readonly string[], { host, options, listener }: { host: Host; options: ConnectorOptions; listener: ConnectorListener }) {
    this.#given = endpoints.map(endpointUrl);
    this.#host = host;
    this.#options = options;
    this.#listener = listener;
  }

  get current(): Link | null {
    return this.#current;
  }

  get urls(): readonly string[] {
    return [...new Set([...this.#given, ...this.#learned])];
  }

  setDirectory({ members, leaders }: Pick<MembersMessage, 'members' | 'leaders'>): void {
    const urlsOf = ({ clientUrl }: Member): readonly string[] => {
      if (clientUrl === '') return [];
      try {
        return [endpointUrl(clientUrl)];
      } catch {
        // A node that announces nonsense is not worth losing the others for.
        return [];
      }
    };
    if (!this.#options.discover) return;
    this.#learned = members.flatMap(urlsOf);
    const led = (node: string): number => leaders.filter((leader) => leader === node).length;
    const [busiest] = [...members].sort((a, b) => led(b.node) - led(a.node));
    this.#leader = busiest === undefined || led(busiest.node) === 0 ? null : (urlsOf(busiest)[0] ?? null);
  }

  /** The node that is connected does badly: look for another one. Does nothing when there is none, or while one is looked for. */
  moveOn(): void {
    if (this.#current === null || this.#dialling !== null || this.urls.length < 2) return;
    this.#hint = this.#leader === this.#current.url ? null : this.#leader;
    this.#dial(this.#host.nowMs());
  }

  /** Asks for another welcome, of the same node or, if there is one, of another. The current link serves until it comes. */
  greetAgain(whom: 'again' | 'elsewhere'): void {
    if (this.#current === null || this.#dialling !== null) return;
    this.#hint = whom === 'again' ? this.#current.url : null;
    this.#dial(this.#host.nowMs());
  }

  /** Dials when it is time to, and checks liveness; returns when to call it again. */
  tick(nowMs: number): number {
    if (this.#closed) return Number.POSITIVE_INFINITY;
    if (this.#current === null && this.#dialling === null && nowMs >= this.#dialDueMs) this.#dial(nowMs);
    const dialMs = this.#current === null && this.#dialling === null ? this.#dialDueMs : Number.POSITIVE_INFINITY;
    const currentMs = Math.min(this.#current?.tick(nowMs) ?? Number.POSITIVE_INFINITY, this.#leaveSuspect(nowMs));
    const diallingMs = this.#dialling?.tick(nowMs) ?? Number.POSITIVE_INFINITY;
    return Math.min(dialMs, currentMs, diallingMs);
  }

  /** It may be paused or cut off: whoever else answers first is taken. Returns when to call it again. */
  #leaveSuspect(nowMs: number): number {
    if (this.#current?.isSuspect(nowMs) !== true || this.#dialling !== null) return Number.POSITIVE_INFINITY;
    if (nowMs < this.#suspectDueMs) return this.#suspectDueMs;
    this.#suspectDueMs = nowMs + suspectEveryMs;
    this.moveOn();
    return this.#suspectDueMs;
  }

  close(): void {
    this.#closed = true;
    this.#dialling?.close('closed');
    this.#current?.close('closed');
  }

  #dial(nowMs: number): void {
    const urls = this.urls;
    if (urls.length > 1 && urls[this.#next % urls.length] === (this.#current?.url ?? this.#lost)) this.#next++;
    this.#lost = null;
    const url = this.#hint ?? (urls[this.#next++ % urls.length] as string);
    this.#hint = null;
    const link = new Link(url, {
      host: this.#host,
      options: { ...this.#options, openTimeoutMs: this.#openTimeoutMs(urls.length) },
      listener: {
        onWelcome: (welcome) => { this.#up(link, welcome); },
        onMessages: (messages) => {
          if (link === this.#current) this.#listener.onMessages(link, messages);
        },
        onDown: (end) => { this.#down(link, end); },
      },
    });
    this.#dialling = link;
    link.tick(nowMs);
  }

  /** A node that is starting, stopping or paused may take the connection and not answer: not worth long while others are untried. */
  #openTimeoutMs(urlCount: number): number {
    const { openTimeoutMs } = this.#options;
    if (urlCount < 2) return openTimeoutMs;
    const roundsDone = Math.floor(this.#failuresInRow / urlCount);
    return Math.min(openTimeoutMs, hastyOpenMs * 2 ** Math.min(roundsDone, 10));
  }

  #up(link: Link, welcome: WelcomeMessage): void {
    this.#dialling = null;
    this.#failuresInRow = 0;
    const before = this.#current;
    this.#current = link;
    if (before !== null) {
      before.close('moved on');
      this.#listener.onDown(before);
    }
    this.setDirectory(welcome);
    const regionChanged = this.#region !== null && this.#region !== welcome.region;
    this.#region = welcome.region;
    this.#listener.onUp(link, welcome, regionChanged);
  }

  #down(link: Link, end: LinkEnd): void {
    const nowMs = this.#host.nowMs();
    if (link === this.#current) {
      this.#current = null;
      this.#lost = link.url;
      this.#hint = this.#leader === link.url ? null : this.#leader;
      this.#dialDueMs = nowMs;
      if (!this.#closed) this.#listener.onDown(link);
    } else if (link === this.#dialling) {
      this.#dialling = null;
      this.#failuresInRow++;
      // The next endpoint at once; after each round of all of them, wait.
      const roundsDone = Math.floor(this.#failuresInRow / this.urls.length);
      const roundEnds = this.#failuresInRow % this.urls.length === 0;
      this.#dialDueMs = roundEnds ? nowMs + backOffMs(roundsDone, this.#host.random) : nowMs;
      if (this.#current === null && !this.#closed) this.#listener.onFailure(end, link.url);
    }
  }
}
