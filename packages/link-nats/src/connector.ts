import { connect, type NatsConnection, type ConnectionOptions } from '@nats-io/transport-node';
import { Backoff, Pause } from './backoff.ts';
import { reasonOf, type LinkContext } from './context.ts';

export interface ConnectorEvents {
  up(connection: NatsConnection): void;
  /** The connection that came up last is gone. */
  down(): void;
}

/** Pings to the server; two unanswered end the connection, so a server that hangs is left in 2 to 3 s. */
const serverPingMs = 1000;
const serverPingsOutMax = 2;
const dialTimeoutMs = 3000;

/**
 * Keeps one connection to any of the servers, for ever. The library's own reconnecting is off: it would send what was
 * written during the outage long after, and restore subscriptions that may read from the wrong place. Here every
 * connection begins with nothing, and the parts of the link begin anew on it.
 */
export class Connector {
  readonly #context: LinkContext;
  readonly #servers: readonly string[];
  readonly #events: ConnectorEvents;
  readonly #pause = new Pause();
  readonly #done: Promise<void>;
  #current: NatsConnection | null = null;
  #closed = false;

  constructor(context: LinkContext, servers: readonly string[], events: ConnectorEvents) {
    this.#context = context;
    this.#servers = servers;
    this.#events = events;
    this.#done = this.#run();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#pause.end();
    await this.#current?.close();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { timing, counters, logger } = this.#context;
    const backoff = new Backoff({ minMs: timing.retryMsMin, maxMs: timing.retryMsMax });
    let reported = '';
    while (!this.#closed) {
      try {
        const connection = await connect(this.#options());
        counters.connects_total++;
        backoff.reset();
        reported = '';
        await this.#serve(connection);
      } catch (error) {
        counters.connect_failures_total++;
        // One line per outage and reason, not per attempt.
        if (reasonOf(error) !== reported) logger.warn({ reason: reasonOf(error) }, 'no connection to NATS; trying on');
        reported = reasonOf(error);
      }
      if (!this.#closed) await this.#pause.wait(backoff.nextMs());
    }
  }

  /** Until the connection ends. */
  async #serve(connection: NatsConnection): Promise<void> {
    if (this.#closed) return connection.close();
    this.#current = connection;
    this.#context.logger.info({ server: connection.getServer() }, 'connected to NATS');
    this.#events.up(connection);
    const error = await connection.closed();
    this.#current = null;
    this.#events.down();
    if (!this.#closed) {
      this.#context.logger.warn({ reason: error === undefined ? 'closed' : reasonOf(error) }, 'lost NATS');
    }
  }

  #options(): ConnectionOptions {
    return {
      servers: this.#servers.map(withoutUser),
      ...userOf(this.#servers[0]),
      name: `skerry ${this.#context.region}`,
      reconnect: false,
      noEcho: false,
      timeout: dialTimeoutMs,
      pingInterval: serverPingMs,
      maxPingOut: serverPingsOutMax,
    };
  }
}

/** `nats://user:password@host:port`, `nats://token@host:port`, or without; the library takes them apart from the address. */
function userOf(server: string | undefined): Pick<ConnectionOptions, 'user' | 'pass' | 'token'> {
  const found = /^(?:\w+:\/\/)?([^@/]+)@/.exec(server ?? '')?.[1];
  if (found === undefined) return {};
  const [user = '', pass] = found.split(':').map(decodeURIComponent);
  return pass === undefined ? { token: user } : { user, pass };
}

function withoutUser(server: string): string {
  return server.replace(/^(\w+:\/\/)?[^@/]+@/, '$1');
}
