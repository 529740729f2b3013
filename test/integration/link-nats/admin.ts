import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import type { NatsServer } from './nats-server.ts';
import type { Party } from './party.ts';

/** What an operator, or an accident, does to JetStream behind the link's back. */
export class Admin {
  readonly #connection: NatsConnection;
  readonly streams: JetStreamManager['streams'];
  readonly consumers: JetStreamManager['consumers'];

  private constructor(connection: NatsConnection, manager: JetStreamManager) {
    this.#connection = connection;
    this.streams = manager.streams;
    this.consumers = manager.consumers;
  }

  static async connect(server: NatsServer): Promise<Admin> {
    const connection = await connect({ servers: server.url });
    return new Admin(connection, await jetstreamManager(connection));
  }

  /** Puts entries into a log as an old leader might, without the id by which the stream knows repetitions. */
  async repeat(party: Party, entries: readonly number[]): Promise<void> {
    for (const entry of entries) {
      const made = headers();
      made.set('Skerry-First', String(entry));
      made.set('Skerry-Last', String(entry));
      made.set('Skerry-Origin', party.origin.toString(16).padStart(12, '0'));
      await jetstream(this.#connection).publish(logSubject(party), `${entry}-${entry}`, { headers: made });
    }
  }

  /** Anything at all, where a log is expected. */
  async publish(subject: string, text: string): Promise<void> {
    await jetstream(this.#connection).publish(subject, text);
  }

  /** The same outside of JetStream. */
  send(subject: string, text: string): void {
    this.#connection.publish(subject, text);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

export const streamName = 'SKERRY_test_region-1';

export function logSubject({ region, origin }: Party): string {
  return `skerry.test.log.${region}.0.${origin.toString(16).padStart(12, '0')}`;
}
