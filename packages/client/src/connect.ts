import type { Random } from '@skerry/base';
import { openSocket } from '#socket';
import { Client } from './client.ts';
import { SkerryError } from './errors.ts';
import type { Host } from './host.ts';
import { Regions } from './regions.ts';
import { SessionToken } from './token.ts';

export interface ConnectOptions {
  /**
   * `ws:`, `wss:`, `http:` or `https:` addresses of nodes, of one region or of several, in order of preference: among regions
   * that are about as far, that of the first endpoint is used. More are learned from the nodes.
   */
  readonly endpoints: readonly string[];
  /** The region to be in whenever it is well. Default: the nearest, by round trips that are measured now and then. */
  readonly region?: string;
  /** Of `token()` of another client: this session has seen what that one had. */
  readonly token?: string;
  /** Told of the region that calls go to, each time it becomes another one. */
  readonly onMove?: (region: string) => void;
  /** false: use the given endpoints alone, also when the nodes tell of others. Default true. */
  readonly discover?: boolean;
  /** Refuse nodes of any other cluster. */
  readonly cluster?: string;
  /** How long `connect` tries before it rejects with NO_ENDPOINT. Milliseconds, default 10000. */
  readonly connectTimeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Open calls, and about their bytes; more are refused with OVERLOADED. Default 16384 and 64 MiB. */
  readonly inFlightMax?: number;
  readonly inFlightBytesMax?: number;
  /** Keys whose last seen version is remembered, so that local reads do not go back. Default 10000. */
  readonly seenKeysMax?: number;
  readonly timing?: Partial<ClientTiming>;
}

/** All in milliseconds. */
export interface ClientTiming {
  /** From dialling a node to its welcome. */
  readonly openTimeoutMs: number;
  /** Silence after which a node that owes answers is pinged. */
  readonly quietMs: number;
  /** The same for one that owes none. */
  readonly idleMs: number;
  /** Silence after a ping after which another node is looked for. This one serves until another one is found. */
  readonly suspectMs: number;
  /** Silence after a ping that ends the connection. */
  readonly pongTimeoutMs: number;
  /** How long past its deadline a write's answer is waited for: longer than the nodes' fenceGraceMs. */
  readonly graceMs: number;
  /** How long past its deadline a read's answer is waited for. */
  readonly readGraceMs: number;
  /** A blocking consistent call that is unanswered for this long looks for another node. */
  readonly stallMs: number;
  /** How long a read waits for what the session saw at another node; see {@link ReadOptions.catchUpMs}. */
  readonly catchUpMs: number;
  /** Without a node that answers for so long, another region is connected to as well. */
  readonly standbyMs: number;
  /** Without a node that answers for so long, and four round trips, the region is given up, if another one is there. */
  readonly regionGoneMs: number;
  /** A better region than that of now is gone to once it has been well for so long. */
  readonly returnAfterMs: number;
  /** Between two measurements of a region, give or take half of it. */
  readonly probeEveryMs: number;
  /** The same for regions that would be better than that of now. */
  readonly returnProbeEveryMs: number;
  /** How long an unused connection to another region is kept. */
  readonly lingerMs: number;
}

export const defaultTiming: ClientTiming = {
  openTimeoutMs: 1_000,
  quietMs: 100,
  idleMs: 10_000,
  suspectMs: 100,
  pongTimeoutMs: 550,
  graceMs: 750,
  readGraceMs: 250,
  stallMs: 2_000,
  catchUpMs: 1_000,
  standbyMs: 100,
  regionGoneMs: 250,
  returnAfterMs: 10_000,
  probeEveryMs: 30_000,
  returnProbeEveryMs: 2_000,
  lingerMs: 10_000,
};

/**
 * Connects to a cluster: to the first endpoint that answers, and to `region`, if that is given and can be reached. Rejects
 * with NO_ENDPOINT, or WRONG_CLUSTER or PROTOCOL_VERSION when every endpoint said so.
 */
export function connect(options: ConnectOptions): Promise<Client> {
  return connectWith(thisHost(), options);
}

/** {@link connect} with everything that differs between places as an argument. */
export async function connectWith(host: Host, options: ConnectOptions): Promise<Client> {
  if (options.endpoints.length === 0) throw new SkerryError({ code: 'NO_ENDPOINT', detail: 'no endpoint was given' });
  const token = new SessionToken(options.token);
  const timing = { ...defaultTiming, ...options.timing };
  const regions = new Regions(
    host,
    {
      ...timing,
      endpoints: options.endpoints,
      discover: options.discover ?? true,
      cluster: options.cluster ?? token.cluster,
      region: options.region ?? null,
      inFlightMax: options.inFlightMax ?? 16_384,
      inFlightBytesMax: options.inFlightBytesMax ?? 64 * 1_024 * 1_024,
    },
    token,
  );
  const { onMove } = options;
  if (onMove !== undefined) regions.onMove.add(onMove);
  try {
    await firstWelcome(host, regions, options);
    if (options.region !== undefined)
      await goTo(host, { regions, region: options.region, withinMs: timing.openTimeoutMs });
  } catch (error) {
    regions.close();
    throw error;
  }
  return new Client(host, regions, options.seenKeysMax ?? 10_000);
}

function firstWelcome(
  host: Host,
  regions: Regions,
  { endpoints, connectTimeoutMs = 10_000, signal }: ConnectOptions,
): Promise<void> {
  const refusals = new Set<string>();
  let lastDetail = '';
  return new Promise<void>((resolve, reject) => {
    const end = (error: SkerryError | null): void => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
      regions.onFailure.clear();
      regions.onWelcome.clear();
      if (error === null) resolve();
      else reject(error);
    };
    const onAbort = (): void => {
      end(new SkerryError({ code: 'ABORTED', definite: true }));
    };
    const cancel = host.setTimer(connectTimeoutMs, () => {
      end(new SkerryError({ code: 'NO_ENDPOINT', detail: lastDetail }));
    });
    regions.onWelcome.add(() => {
      end(null);
    });
    regions.onFailure.add(({ goodbye, detail }, url) => {
      lastDetail = `${url}: ${detail}`;
      // A node that is only starting may be reachable later; one that refuses this client will not change its mind.
      if (goodbye?.code !== 'WRONG_CLUSTER' && goodbye?.code !== 'PROTOCOL_VERSION') refusals.delete(url);
      else refusals.add(url);
      if (goodbye !== null && refusals.size === endpoints.length)
        end(new SkerryError({ code: goodbye.code, detail: lastDetail }));
    });
    if (signal?.aborted === true) onAbort();
    else {
      signal?.addEventListener('abort', onAbort, { once: true });
      regions.start();
    }
  });
}

/** Where the region that is wanted cannot be reached in time, another one is better than none. */
function goTo(
  host: Host,
  { regions, region, withinMs }: { readonly regions: Regions; readonly region: string; readonly withinMs: number },
): Promise<void> {
  if (regions.region === region) return Promise.resolve();
  const lane = regions.reach(region);
  if (lane === null) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      regions.onLaneUp.delete(onLaneUp);
      resolve();
    };
    const onLaneUp = (up: unknown): void => {
      if (up !== lane) return;
      regions.moveTo(lane);
      end();
    };
    const cancel = host.setTimer(withinMs, end);
    regions.onLaneUp.add(onLaneUp);
  });
}

function thisHost(): Host {
  return { nowMs: () => performance.now(), setTimer, endOfTurn: planEndOfTurn(), random: strongRandom, openSocket };
}

function setTimer(delayMs: number, run: () => void): () => void {
  // setTimeout takes 31 bits; whoever waits longer wakes once in between and waits again.
  const timer = setTimeout(run, Math.min(Math.ceil(delayMs), 2 ** 31 - 1));
  return () => {
    clearTimeout(timer);
  };
}

/** After the timers and sockets that are ready now: setImmediate in Node, a message to itself in a browser. */
function planEndOfTurn(): (run: () => void) => void {
  const { setImmediate: immediate } = globalThis as { readonly setImmediate?: (run: () => void) => void };
  if (immediate !== undefined)
    return (run) => {
      immediate(run);
    };
  const { port1, port2 } = new MessageChannel();
  const planned: (() => void)[] = [];
  port1.onmessage = () => {
    planned.shift()?.();
  };
  return (run) => {
    planned.push(run);
    port2.postMessage(null);
  };
}

const strongRandom: Random = {
  uint32: () => crypto.getRandomValues(new Uint32Array(1))[0] as number,
};
