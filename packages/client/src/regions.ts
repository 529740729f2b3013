import type { RegionId } from '@skerry/base';
import type { MembersMessage, Ticket, WelcomeMessage } from '@skerry/protocol';
import { Call } from './call.ts';
import { Directory, type Told } from './directory.ts';
import { Dispatcher } from './dispatcher.ts';
import { SkerryError } from './errors.ts';
import type { Host } from './host.ts';
import type { DispatcherOptions } from './lane.ts';
import type { LinkEnd } from './link.ts';
import { CallEntry, type CallRequest, type CallResult, type Stream, type StreamEntry } from './pending.ts';
import { rankRegions } from './ranking.ts';
import { Scout, type ScoutOptions } from './scout.ts';
import type { SessionToken } from './token.ts';

export interface RegionsOptions extends DispatcherOptions, Omit<ScoutOptions, 'link'> {
  readonly endpoints: readonly string[];
  /** Also use the endpoints that nodes tell of. */
  readonly discover: boolean;
  /** The region to be in whenever it is well; null: the nearest. */
  readonly region: string | null;
  readonly graceMs: number;
  readonly readGraceMs: number;
  readonly inFlightMax: number;
  readonly inFlightBytesMax: number;
  /** After so long in trouble another region is connected to as well, and after as long again one more. */
  readonly standbyMs: number;
  /** After so long, and some round trips, without a node that answers, the region is given up, if another one is there. */
  readonly regionGoneMs: number;
  /** A better region that has been well for so long is gone to. */
  readonly returnAfterMs: number;
}

/** Round trips by which a far region has more time. */
const goneRoundTrips = 4;
/**
 * After so many times `regionGoneMs` a region is left although not all of its nodes were asked, and one is taken although
 * its node knows of no leaders.
 */
const patientTimes = 4;
/** Between two looks at a region that is to be left. */
const lookAgainMs = 50;
/** This much later than it was due, a look at the regions says more of this process than of them. */
const ownPauseMs = 100;

/**
 * The regions of a cluster, as a client uses them: calls go to one of them, by a {@link Dispatcher} for each.
 *
 * The duty that everything here serves: a write that was sent to a region is repeated in that region only. When the region
 * is given up the write is undecided, with a ticket; everything else goes on in another region. A region is given up when
 * none of its nodes answers. One that answers and has no quorum is not: local reads and quorum-less writes go on there, and
 * what blocks may rightly block.
 */
export class Regions {
  readonly #host: Host;
  readonly #options: RegionsOptions;
  readonly #directory: Directory;
  readonly #token: SessionToken;
  readonly #scout: Scout;
  readonly #lanes = new Map<RegionId, Dispatcher>();
  #current: Dispatcher;
  /** A better region that is being connected to, and when that was begun. */
  #target: { readonly lane: Dispatcher; readonly sinceMs: number } | null = null;
  /** Regions in use that do not answer, and since when. */
  readonly #troubles = new Map<Dispatcher, number>();
  #callCount = 0;
  readonly #streams = new Set<StreamEntry>();
  #bytes = 0;
  #timer: { readonly dueMs: number; readonly cancel: () => void } | null = null;
  #closed = false;
  readonly onWelcome: Set<(welcome: WelcomeMessage) => void> = new Set();
  readonly onFailure: Set<(end: LinkEnd, url: string) => void> = new Set();
  readonly onMembers: Set<(members: MembersMessage) => void> = new Set();
  /** Some region is connected. */
  readonly onLaneUp: Set<(lane: Dispatcher) => void> = new Set();
  /** Calls go to this region now. */
  readonly onMove: Set<(region: RegionId) => void> = new Set();

  constructor(host: Host, options: RegionsOptions, token: SessionToken) {
    this.#host = host;
    this.#options = options;
    this.#token = token;
    this.#directory = new Directory(options.endpoints, options.discover);
    const urlsOf = (region: RegionId): readonly string[] => this.#directory.urlsOf(region);
    this.#scout = new Scout(
      host,
      { ...options, link: options },
      {
        urlsOf,
        onChange: () => {
          this.#decide();
        },
        onProbed: (url, { welcome }) => {
          this.#tell(welcome.region, welcome, url);
        },
      },
    );
    this.#current = this.#newLane(null);
  }

  start(): void {
    this.#current.wanted = true;
  }

  /** Of the region that calls go to; null before the first one. */
  get welcome(): WelcomeMessage | null {
    return this.#current.welcome;
  }

  get endpoint(): string | null {
    return this.#current.endpoint;
  }

  get region(): RegionId | null {
    return this.#current.region;
  }

  /** Best first. */
  get known(): readonly {
    readonly region: RegionId;
    readonly roundTripMs: number | null;
    readonly current: boolean;
  }[] {
    return this.#ranked().map((region) => ({
      ...this.#scout.distance(region),
      current: region === this.#current.region,
    }));
  }

  get token(): SessionToken {
    return this.#token;
  }

  moveOn(): void {
    this.#current.moveOn();
  }

  /** Connects to a region beside the current one; null: nobody knows where it is. */
  reach(region: string): Dispatcher | null {
    if (
      !this.#directory.regions.includes(region as RegionId) &&
      this.#directory.urlsOf(region as RegionId).length === 0
    )
      return null;
    const lane = this.#laneOf(region as RegionId);
    lane.wanted = true;
    return lane;
  }

  /** Goes on in that region, which is up; what is on the wire is finished where it is. */
  moveTo(lane: Dispatcher): void {
    if (lane !== this.#current) this.#move(lane, false);
  }

  /** `finish` makes of how it ended what is handed out; what it throws rejects. */
  call<T>(request: CallRequest, finish: (result: CallResult) => T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const { signal } = request;
      if (this.#closed || signal?.aborted === true) {
        reject(new SkerryError({ code: this.#closed ? 'CLOSED' : 'ABORTED', definite: true }));
        return;
      }
      if (
        this.#callCount >= this.#options.inFlightMax ||
        this.#bytes + request.bytes > this.#options.inFlightBytesMax
      ) {
        reject(
          new SkerryError({
            code: 'OVERLOADED',
            detail: `this client has ${this.#callCount} open calls with ${this.#bytes} bytes`,
          }),
        );
        return;
      }
      const { graceMs, readGraceMs } = this.#options;
      const { write, repeatable, timeoutMs } = request;
      const call = new Call(
        { write, repeatable, timeoutMs, graceMs: write ? graceMs : readGraceMs, random: this.#host.random },
        this.#host.nowMs(),
      );
      const entry = new CallEntry(request, call, (settlement, answered) => {
        this.#callCount--;
        this.#bytes -= request.bytes;
        const { ticket } = answered;
        if (settlement.kind === 'failed') {
          reject(new SkerryError({ ...settlement, ...(ticket === null ? {} : { ticket }) }));
          return;
        }
        try {
          resolve(finish({ settlement, ...answered }));
        } catch (error) {
          reject(error as Error);
        }
      });
      entry.watchSignal();
      this.#callCount++;
      this.#bytes += request.bytes;
      this.#laneFor(request).take(entry);
    });
  }

  /** Returns what ends it. */
  open(stream: Stream): () => void {
    const entry: StreamEntry = { stream, requestId: null };
    if (this.#closed) {
      stream.onClosed(new SkerryError({ code: 'CLOSED', definite: true }));
      return () => {};
    }
    this.#streams.add(entry);
    this.#current.open(entry);
    return () => {
      this.#streams.delete(entry);
      for (const lane of this.#all()) if (lane.endStream(entry)) return;
    };
  }

  /** Asks again after an error that passes. */
  reopen(stream: Stream): void {
    for (const entry of this.#streams) {
      if (entry.stream === stream) for (const lane of this.#all()) if (lane.reopen(entry)) return;
    }
  }

  resolved(ticket: Ticket): void {
    this.#lanes.get(ticket.region)?.resolved(ticket);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#scout.close();
    for (const lane of this.#all()) lane.close();
    for (const { stream } of this.#streams) stream.onClosed(new SkerryError({ code: 'CLOSED', definite: true }));
    this.#streams.clear();
  }

  #all(): Set<Dispatcher> {
    return new Set([this.#current, ...this.#lanes.values()]);
  }

  /** A ticket of a region that nobody knows is for the current one to call unknown. */
  #laneFor({ region }: CallRequest): Dispatcher {
    return region === null || !this.#directory.regions.includes(region) ? this.#current : this.#laneOf(region);
  }

  #laneOf(region: RegionId): Dispatcher {
    let lane = this.#lanes.get(region);
    if (lane === undefined) this.#lanes.set(region, (lane = this.#newLane(region)));
    return lane;
  }

  #newLane(region: RegionId | null): Dispatcher {
    const lane = {
      region,
      token: this.#token,
      urls: (of: RegionId | null) => this.#directory.urlsOf(of),
      roundTripMs: (of: RegionId) => this.#scout.distance(of).roundTripMs,
    };
    return new Dispatcher(this.#host, this.#options, {
      lane,
      listener: {
        onUp: (of, welcome) => {
          this.#up(of, welcome);
        },
        onMembers: (of, members) => {
          this.#tell(of.region as RegionId, members, null);
          if (of === this.#current) for (const listener of this.onMembers) listener(members);
        },
        onFailure: (of, end, url) => {
          if (of === this.#current) for (const listener of this.onFailure) listener(end, url);
        },
        onForeign: (url, itsRegion) => {
          this.#directory.note(url, itsRegion);
          this.#decide();
        },
        onTrouble: () => {
          this.#decide();
        },
      },
    });
  }

  #up(lane: Dispatcher, welcome: WelcomeMessage): void {
    if (!this.#lanes.has(welcome.region)) this.#lanes.set(welcome.region, lane);
    this.#tell(welcome.region, welcome, lane.endpoint);
    if (lane === this.#current) for (const listener of this.onWelcome) listener(welcome);
    for (const listener of this.onLaneUp) listener(lane);
    this.#decide();
  }

  #tell(region: RegionId, told: Told, url: string | null): void {
    if (url !== null) this.#directory.note(url, region);
    this.#directory.tell(region, told);
    this.#scout.setRegions(this.#directory.regions);
  }

  #ranked(): RegionId[] {
    return rankRegions(
      this.#directory.regions.map((region) => this.#scout.distance(region)),
      this.#options.region,
    );
  }

  /** Looks at everything that may have changed; whoever changes something calls it. */
  #decide(): void {
    const region = this.#current.region;
    if (this.#closed || region === null) return;
    const nowMs = this.#host.nowMs();
    for (const lane of this.#all()) {
      if (!lane.isInTrouble || (lane !== this.#current && !lane.hasMovableCalls)) this.#troubles.delete(lane);
      else if (!this.#troubles.has(lane)) this.#troubles.set(lane, nowMs);
    }
    const sinceMs = this.#troubles.get(this.#current);
    const nextMs = sinceMs === undefined ? this.#improve(region, nowMs) : this.#escape(sinceMs, nowMs);
    this.#wakeAt(Math.min(nextMs, this.#giveUpDrained(nowMs)));
  }

  /** Calls that are being finished in a region that was left do not wait for it longer than others. Returns when to look again. */
  #giveUpDrained(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [lane, sinceMs] of this.#troubles) {
      if (lane === this.#current) continue;
      const dueMs = sinceMs + this.#goneMs(lane);
      if (nowMs < dueMs) {
        nextMs = Math.min(nextMs, dueMs);
      } else if (this.#current.isUp) {
        this.#troubles.delete(lane);
        this.#evacuate(lane, true);
      }
    }
    return nextMs;
  }

  /** The current region does not answer. Returns when to look again. */
  #escape(sinceMs: number, nowMs: number): number {
    this.#target = null;
    const others = this.#ranked().filter((region) => region !== this.#current.region);
    if (others.length === 0) return Number.POSITIVE_INFINITY;
    const forMs = nowMs - sinceMs;
    const { standbyMs } = this.#options;
    const wakeCount = Math.min(others.length, Math.floor(forMs / standbyMs));
    for (const region of others.slice(0, wakeCount)) this.#laneOf(region).wanted = true;
    const goneMs = this.#goneMs(this.#current);
    const up = others
      .map((region) => this.#lanes.get(region))
      .filter((lane) => lane?.isUp === true && !lane.isInTrouble) as Dispatcher[];
    const best = up.find(({ hasLeaders }) => hasLeaders) ?? (forMs >= patientTimes * goneMs ? up[0] : undefined);
    const isGone = forMs >= goneMs && (this.#current.hasTriedAll || forMs >= patientTimes * goneMs);
    if (isGone && best !== undefined) {
      this.#move(best, true);
      return nowMs;
    }
    const nextWakeMs = wakeCount < others.length ? sinceMs + (wakeCount + 1) * standbyMs : Number.POSITIVE_INFINITY;
    const nextGoneMs = forMs < goneMs ? sinceMs + goneMs : nowMs + lookAgainMs;
    return Math.min(nextWakeMs, nextGoneMs);
  }

  /** The current region answers: is there a better one? Returns when to look again. */
  #improve(region: RegionId, nowMs: number): number {
    const { returnAfterMs, openTimeoutMs } = this.#options;
    const ranked = this.#ranked();
    const better = ranked.slice(0, Math.max(0, ranked.indexOf(region)));
    for (const other of this.#lanes.values())
      if (other !== this.#current && other !== this.#target?.lane) other.wanted = false;
    const best = better.find((other) => this.#scout.healthyForMs(other) >= returnAfterMs);
    if (this.#target !== null && this.#target.lane.region !== best) this.#target = null;
    if (best !== undefined) this.#target ??= { lane: this.#wake(best), sinceMs: nowMs };
    const target = this.#target;
    let nextMs = Number.POSITIVE_INFINITY;
    if (target?.lane.hasLeaders === true) {
      this.#move(target.lane, false);
      return nowMs;
    }
    if (target !== null && nowMs >= target.sinceMs + openTimeoutMs) {
      this.#scout.disappoint(target.lane.region as RegionId);
      this.#target = null;
    } else if (target !== null) {
      nextMs = target.sinceMs + openTimeoutMs;
    }
    const measure = (): void => {
      this.#current.measure((roundTripMs) => {
        this.#scout.note(region, roundTripMs);
      });
    };
    return Math.min(nextMs, this.#scout.tick({ current: region, better, measure }));
  }

  #wake(region: RegionId): Dispatcher {
    const lane = this.#laneOf(region);
    lane.wanted = true;
    return lane;
  }

  #goneMs(lane: Dispatcher): number {
    const roundTripMs = lane.region === null ? null : this.#scout.distance(lane.region).roundTripMs;
    return this.#options.regionGoneMs + goneRoundTrips * (roundTripMs ?? 0);
  }

  #move(lane: Dispatcher, lost: boolean): void {
    const from = this.#current;
    this.#current = lane;
    this.#target = null;
    lane.wanted = true;
    from.wanted = false;
    if (lost && from.region !== null) this.#scout.disappoint(from.region);
    this.#evacuate(from, lost);
    for (const listener of this.onMove) listener(lane.region as RegionId);
    if (lane.welcome !== null) for (const listener of this.onWelcome) listener(lane.welcome);
  }

  #evacuate(from: Dispatcher, lost: boolean): void {
    const { calls, streams } = from.evacuate(lost);
    for (const entry of calls) this.#current.take(entry);
    for (const entry of streams) this.#current.open(entry);
  }

  #wakeAt(atMs: number): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#closed || atMs === Number.POSITIVE_INFINITY) return;
    const nowMs = this.#host.nowMs();
    const dueMs = Math.max(atMs, nowMs);
    this.#timer = {
      dueMs,
      cancel: this.#host.setTimer(dueMs - nowMs, () => {
        this.#timer = null;
        const lateMs = this.#host.nowMs() - dueMs;
        // Nobody could be dialled in that time.
        if (lateMs > ownPauseMs)
          for (const [lane, sinceMs] of this.#troubles) this.#troubles.set(lane, sinceMs + lateMs);
        this.#decide();
      }),
    };
  }
}
