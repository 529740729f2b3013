import { jetstream, jetstreamManager, type JetStreamClient, type PubAck } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { LogBatch } from '@skerry/replica';
import { Backoff, Pause } from '../backoff.ts';
import { reasonOf, type LinkContext } from '../context.ts';
import { partBytesOf } from '../limits.ts';
import { splitParts, type Part } from '../parts.ts';
import { addressKey, logHeaders, messageId } from './message.ts';
import { ensureStream, isTooLarge } from './stream.ts';

interface PartAddress {
  readonly subject: string;
  readonly batch: LogBatch;
  readonly part: Part;
}

/** What a connection has for the publisher. */
interface Attached {
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
}

/** One batch on its way into the log. */
interface Item {
  readonly batch: LogBatch;
  state: 'waiting' | 'sent' | 'acknowledged' | 'refused';
}

/**
 * Publishes this region's own entries, in the order they are given, with a bounded number on their way. When one
 * fails, nothing new is sent until the answers to all others are in; then the log's stream is looked after (it may be
 * gone) and what was not acknowledged is sent again, in order, after a pause. The stream knows repetitions by their id.
 */
export class LogPublisher {
  readonly #context: LinkContext;
  readonly #queue: Item[] = [];
  #queueBytes = 0;
  #inFlight = 0;
  /** By log: acknowledged up to here without a gap, since this publisher began with it. */
  readonly #through = new Map<string, number>();
  readonly #pause = new Pause();
  readonly #backoff: Backoff;
  #attached: Attached | null = null;
  /** The stream is there, as far as is known, and may be sent to. */
  #open = false;
  #opening = false;
  /** Something was not taken, and nothing since: not at once again. */
  #failing = false;
  #reported = '';

  constructor(context: LinkContext) {
    this.#context = context;
    this.#backoff = new Backoff({ minMs: context.timing.retryMsMin, maxMs: context.timing.retryMsMax });
  }

  /** What waits for the log or its acknowledgement, in bytes. */
  get queueBytes(): number {
    return this.#queueBytes;
  }

  /** The log takes entries, as far as is known. */
  get isOpen(): boolean {
    return this.#open;
  }

  publish(batch: LogBatch): void {
    const { limits, counters } = this.#context;
    if (batch.bytes.length > limits.bytesMax) {
      counters.log_batches_refused_total++;
      return;
    }
    if (this.#queueBytes + batch.bytes.length > limits.publishQueueBytesMax) {
      counters.log_batches_dropped_total++;
      return;
    }
    const key = addressKey(batch);
    if (!this.#through.has(key)) this.#through.set(key, batch.first - 1);
    this.#queue.push({ batch, state: 'waiting' });
    this.#queueBytes += batch.bytes.length;
    this.#pump();
  }

  attach(connection: NatsConnection): void {
    this.#failing = false;
    this.#attached = {
      connection,
      client: jetstream(connection, { timeout: this.#context.timing.requestTimeoutMs }),
    };
    this.#pause.end();
    this.#pump();
  }

  detach(): void {
    this.#attached = null;
    this.#open = false;
    this.#pause.end();
  }

  #pump(): void {
    if (this.#attached === null || this.#queue.length === 0) return;
    if (!this.#open) {
      if (!this.#opening && this.#inFlight === 0) void this.#prepare(this.#attached);
      return;
    }
    for (const item of this.#queue) {
      if (this.#inFlight >= this.#context.limits.publishWindowMax) return;
      if (item.state === 'waiting') void this.#send(this.#attached, item);
    }
  }

  /** Until there is a stream to publish to, or the connection is gone. */
  async #prepare(attached: Attached): Promise<void> {
    const { timing, counters, logger } = this.#context;
    this.#opening = true;
    for (const item of this.#queue) if (item.state === 'sent') item.state = 'waiting';
    while (this.#attached === attached && !this.#open) {
      if (this.#failing) await this.#pause.wait(this.#backoff.nextMs());
      if (this.#attached !== attached) break;
      try {
        const options = { checkAPI: false, timeout: timing.requestTimeoutMs };
        const manager = await jetstreamManager(attached.connection, options);
        await ensureStream(manager, this.#context);
        this.#open = this.#attached === attached;
      } catch (error) {
        counters.log_publish_failures_total++;
        this.#failing = true;
        this.#report(error, 'the log in NATS cannot be written; trying on');
      }
    }
    this.#opening = false;
    if (this.#open) logger.info({ stream: this.#context.names.stream(this.#context.region) }, 'log in NATS is open');
    this.#pump();
  }

  async #send(attached: Attached, item: Item): Promise<void> {
    const { names, limits } = this.#context;
    const { batch } = item;
    item.state = 'sent';
    this.#inFlight++;
    try {
      const subject = names.log(batch.region, batch.partition, batch.origin);
      const parts = splitParts(batch.bytes, partBytesOf(attached.connection, limits));
      const answers = await Promise.all(parts.map((part) => this.#sendPart(attached, { subject, batch, part })));
      item.state = 'acknowledged';
      if (answers.every((answer) => answer.duplicate)) this.#context.counters.log_duplicates_total++;
      this.#reported = '';
      this.#failing = false;
      this.#backoff.reset();
    } catch (error) {
      this.#failed(attached, item, error);
    }
    this.#inFlight--;
    this.#shift();
    this.#pump();
  }

  #sendPart(attached: Attached, { subject, batch, part }: PartAddress): Promise<PubAck> {
    return attached.client.publish(subject, part.bytes, {
      headers: logHeaders(batch, part),
      msgID: messageId(batch, part),
      // Else any stream that takes the subject might answer for ours.
      expect: { streamName: this.#context.names.stream(batch.region) },
      timeout: this.#context.timing.requestTimeoutMs,
    });
  }

  #failed(attached: Attached, item: Item, error: unknown): void {
    const { counters } = this.#context;
    counters.log_publish_failures_total++;
    if (isTooLarge(error)) {
      item.state = 'refused';
      counters.log_batches_refused_total++;
      this.#report(error, 'the log in NATS refuses a batch');
      return;
    }
    // Stays `sent`, so that it is not sent again before the others are answered.
    if (this.#attached === attached) {
      this.#open = false;
      this.#failing = true;
    }
    this.#report(error, 'the log in NATS did not take a batch; trying on');
  }

  /** Lets go of what is settled at the head of the queue, and tells how far the log is. */
  #shift(): void {
    let told: LogBatch | null = null;
    for (let item = this.#queue[0]; item !== undefined; item = this.#queue[0]) {
      if (item.state !== 'acknowledged' && item.state !== 'refused') break;
      this.#queue.shift();
      this.#queueBytes -= item.batch.bytes.length;
      if (item.state === 'refused') continue;
      this.#context.counters.log_batches_published_total++;
      if (told !== null && addressKey(told) !== addressKey(item.batch)) this.#tell(told);
      this.#advance(item.batch);
      told = item.batch;
    }
    if (told !== null) this.#tell(told);
  }

  #advance(batch: LogBatch): void {
    const key = addressKey(batch);
    const through = this.#through.get(key) ?? batch.first - 1;
    // Beyond a batch that was dropped or refused nothing is claimed, until that comes again.
    if (batch.first <= through + 1 && batch.last > through) this.#through.set(key, batch.last);
  }

  #tell(batch: LogBatch): void {
    const through = this.#through.get(addressKey(batch));
    if (through !== undefined && through >= batch.first) {
      this.#context.events.published(batch.partition, batch.origin, through);
    }
  }

  /** One line per outage and reason. */
  #report(error: unknown, message: string): void {
    const reason = reasonOf(error);
    if (reason !== this.#reported) this.#context.logger.warn({ reason }, message);
    this.#reported = reason;
  }
}
