import type { Random } from '@skerry/base';
import { openSocket } from '#socket';
import { Client } from './client.ts';
import { Dispatcher } from './dispatcher.ts';
import { SkerryError } from './errors.ts';
import type { Host } from './host.ts';

export interface ConnectOptions {
  /** `ws:`, `wss:`, `http:` or `https:` addresses of nodes of one region, in order of preference. More are learned from the nodes. */
  readonly endpoints: readonly string[];
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
}

export const defaultTiming: ClientTiming = {
  openTimeoutMs: 1_000, quietMs: 100, idleMs: 10_000, suspectMs: 100, pongTimeoutMs: 550, graceMs: 750, readGraceMs: 250, stallMs: 2_000,
};

/** Connects to a region. Rejects with NO_ENDPOINT, or WRONG_CLUSTER or PROTOCOL_VERSION when every endpoint said so. */
export function connect(options: ConnectOptions): Promise<Client> {
  return connectWith(thisHost(), options);
}

/** {@link connect} with everything that differs between places as an argument. */
export async function connectWith(host: Host, options: ConnectOptions): Promise<Client> {
  if (options.endpoints.length === 0) throw new SkerryError({ code: 'NO_ENDPOINT', detail: 'no endpoint was given' });
  const dispatcher = new Dispatcher(host, {
    ...defaultTiming,
    ...options.timing,
    endpoints: options.endpoints,
    discover: options.discover ?? true,
    cluster: options.cluster ?? null,
    inFlightMax: options.inFlightMax ?? 16_384,
    inFlightBytesMax: options.inFlightBytesMax ?? 64 * 1_024 * 1_024,
  });
  try {
    await firstWelcome(host, dispatcher, options);
  } catch (error) {
    dispatcher.close();
    throw error;
  }
  return new Client(host, dispatcher, options.seenKeysMax ?? 10_000);
}

function firstWelcome(host: Host, dispatcher: Dispatcher, { endpoints, connectTimeoutMs = 10_000, signal }: ConnectOptions): Promise<void> {
  const refusals = new Set<string>();
  let lastDetail = '';
  return new Promise<void>((resolve, reject) => {
    const end = (error: SkerryError | null): void => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
      dispatcher.onFailure.clear();
      dispatcher.onWelcome.clear();
      if (error === null) resolve();
      else reject(error);
    };
    const onAbort = (): void => { end(new SkerryError({ code: 'ABORTED', definite: true })); };
    const cancel = host.setTimer(connectTimeoutMs, () => { end(new SkerryError({ code: 'NO_ENDPOINT', detail: lastDetail })); });
    dispatcher.onWelcome.add(() => { end(null); });
    dispatcher.onFailure.add(({ goodbye, detail }, url) => {
      lastDetail = `${url}: ${detail}`;
      // A node that is only starting may be reachable later; one that refuses this client will not change its mind.
      if (goodbye?.code !== 'WRONG_CLUSTER' && goodbye?.code !== 'PROTOCOL_VERSION') refusals.delete(url);
      else refusals.add(url);
      if (goodbye !== null && refusals.size === endpoints.length) end(new SkerryError({ code: goodbye.code, detail: lastDetail }));
    });
    if (signal?.aborted === true) onAbort();
    else {
      signal?.addEventListener('abort', onAbort, { once: true });
      dispatcher.start();
    }
  });
}

function thisHost(): Host {
  return { nowMs: () => performance.now(), setTimer, endOfTurn: planEndOfTurn(), random: strongRandom, openSocket };
}

function setTimer(delayMs: number, run: () => void): () => void {
  // setTimeout takes 31 bits; whoever waits longer wakes once in between and waits again.
  const timer = setTimeout(run, Math.min(Math.ceil(delayMs), 2 ** 31 - 1));
  return () => { clearTimeout(timer); };
}

/** After the timers and sockets that are ready now: setImmediate in Node, a message to itself in a browser. */
function planEndOfTurn(): (run: () => void) => void {
  const { setImmediate: immediate } = globalThis as { readonly setImmediate?: (run: () => void) => void };
  if (immediate !== undefined) return (run) => { immediate(run); };
  const { port1, port2 } = new MessageChannel();
  const planned: (() => void)[] = [];
  port1.onmessage = () => { planned.shift()?.(); };
  return (run) => {
    planned.push(run);
    port2.postMessage(null);
  };
}

const strongRandom: Random = {
  uint32: () => crypto.getRandomValues(new Uint32Array(1))[0] as number,
};
