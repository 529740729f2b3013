import {
  jetstream,
  jetstreamManager,
  type ConsumerMessages,
  type ConsumerNotification,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { Backoff, Pause } from '../backoff.ts';
import { reasonOf, type LinkContext } from '../context.ts';
import { PartJoiner } from '../parts.ts';
import { readLogHeader, type LogAddress } from './message.ts';
import { findStart, type Peek, type PeekableLog } from './search.ts';

/** The consumer asks for messages again after it. */
const pullExpiresMs = 10_000;
/** Sent by the server when there is nothing else; two missing mean that something is wrong. */
const idleHeartbeatMs = 1000;
/** The server forgets the consumer when its reader is away for so long. */
const inactiveMs = 30_000;

export interface ReaderOptions {
  readonly address: LogAddress;
  /** First entry wanted. */
  readonly from: number;
  /** JetStream domain that has the stream now; null: the one of the connection. */
  domain(): string | null;
}

/**
 * Reads one log from a position on. The broker keeps no cursor that counts: each time something is out of order (the
 * consumer or its heartbeats are gone, the audit finds the log ahead of or behind what came, another connection), the
 * consumer is thrown away, the place of the position in the stream is looked for again, and a new one begins there.
 */
export class LogReader {
  readonly #context: LinkContext;
  readonly #options: ReaderOptions;
  readonly #pause = new Pause();
  /** First entry not delivered yet. */
  #next: number;
  #sought: { readonly from: number; readonly atMs: number };
  #connection: NatsConnection | null = null;
  /** Ends what reads now. */
  #interrupt: (why: string) => void = () => {};
  #running = false;

  constructor(context: LinkContext, options: ReaderOptions) {
    this.#context = context;
    this.#options = options;
    this.#next = options.from;
    this.#sought = { from: options.from, atMs: performance.now() };
  }

  /** Reads from there. Asked for the same again before anything came, it goes on with that for a while. */
  seek(from: number): void {
    const { auditMs } = this.#context.timing;
    // Else who asks more often than the search takes would never get an answer.
    if (from === this.#next && from === this.#sought.from && performance.now() - this.#sought.atMs < auditMs) return;
    this.#sought = { from, atMs: performance.now() };
    this.#next = from;
    this.#interrupt('seek');
    this.#pause.end();
  }

  /** Tries at once, if it waits to try again. */
  nudge(): void {
    this.#pause.end();
  }

  attach(connection: NatsConnection): void {
    this.#connection = connection;
    this.#interrupt('attach');
    this.#pause.end();
    if (!this.#running) void this.#run();
  }

  detach(): void {
    this.#connection = null;
    this.#interrupt('detach');
    this.#pause.end();
  }

  async #run(): Promise<void> {
    const { timing, counters, logger } = this.#context;
    const backoff = new Backoff({ minMs: timing.retryMsMin, maxMs: timing.retryMsMax });
    let reported = '';
    this.#running = true;
    for (let connection = this.#connection; connection !== null; connection = this.#connection) {
      const before = this.#next;
      try {
        const why = await this.#read(connection);
        reported = '';
        if (this.#next !== before || why === 'seek') backoff.reset();
        if (why === 'seek' || why === 'attach' || why === 'detach') continue;
      } catch (error) {
        counters.log_read_failures_total++;
        const { region, partition } = this.#options.address;
        const reason = reasonOf(error);
        if (reason !== reported) logger.info({ region, partition, reason }, 'a log in NATS cannot be read; trying on');
        reported = reason;
      }
      if (this.#connection !== null) await this.#pause.wait(backoff.nextMs());
    }
    this.#running = false;
  }

  /** Reads until something is out of order, and says what. */
  async #read(connection: NatsConnection): Promise<string> {
    const { names, timing, limits, counters } = this.#context;
    const { region, partition, origin } = this.#options.address;
    let interrupted: string | null = null;
    const ended = new Promise<string>((resolve) => {
      this.#interrupt = (why) => {
        interrupted ??= why;
        resolve(why);
      };
    });
    const stream = names.stream(region);
    const subject = names.log(region, partition, origin);
    const domain = this.#options.domain();
    const api = { timeout: timing.requestTimeoutMs, ...(domain === null ? {} : { domain }) };
    const manager = await jetstreamManager(connection, { ...api, checkAPI: false });
    const log = new StreamLog(manager, { stream, subject, address: this.#options.address });
    counters.log_seeks_total++;
    const from = this.#next;
    const start = await findStart(log, from);
    if (interrupted !== null) return interrupted;
    const consumer = await jetstream(connection, { ...api }).consumers.get(stream, {
      filter_subjects: subject,
      opt_start_seq: start,
      inactive_threshold: inactiveMs,
    });
    const progress: Progress = { sequence: 0, joiner: new PartJoiner(limits.bytesMax), from, begun: false };
    const messages = await consumer.consume({
      max_messages: limits.readWindowMax,
      expires: pullExpiresMs,
      idle_heartbeat: idleHeartbeatMs,
      callback: (message) => {
        if (interrupted === null) this.#deliver(message, progress);
      },
    });
    void this.#watch(messages);
    const audit = setInterval(() => void this.#audit(log, progress), timing.auditMs);
    const why = await ended;
    clearInterval(audit);
    await messages.close();
    if (!connection.isClosed()) consumer.delete().catch(() => {});
    return why;
  }

  #deliver(message: JsMsg, progress: Progress): void {
    const { counters, events } = this.#context;
    const { address } = this.#options;
    progress.sequence = message.seq;
    const header = readLogHeader(message.headers, message.data.length, address);
    if (header === null) {
      counters.log_malformed_total++;
      return;
    }
    const { first, last, offset, total } = header;
    const bytes = progress.joiner.add(`${first}-${last}`, { offset, total, bytes: message.data });
    if (bytes === 'waiting') return;
    if (bytes === 'broken') {
      counters.log_malformed_total++;
      return;
    }
    // The search may begin early.
    if (!progress.begun && last < progress.from) return;
    progress.begun = true;
    this.#next = Math.max(this.#next, last + 1);
    counters.log_batches_received_total++;
    const { region, partition, origin } = address;
    events.entries({ partition, region, origin, first, last, bytes });
  }

  /** Whatever the library would mend by itself, it would mend by the broker's sequence: begin anew instead. */
  async #watch(messages: ConsumerMessages): Promise<void> {
    const interrupt = this.#interrupt;
    for await (const notice of messages.status()) if (isTrouble(notice)) interrupt(notice.type);
    interrupt('ended');
  }

  /** A consumer may stand still and say that all is well; and a stream that was made anew counts from 1 again. */
  async #audit(log: StreamLog, progress: Progress): Promise<void> {
    const interrupt = this.#interrupt;
    const before = progress.sequence;
    if (progress.auditing === true) return;
    progress.auditing = true;
    try {
      const tail = await log.tail(before);
      const stood = progress.sequence === before;
      const behind = tail !== null && stood && tail.sequence > before;
      const ahead = tail !== null && tail.sequence < progress.sequence;
      // Once may be a message that is just on its way.
      if (ahead || (behind && progress.behindAt === before)) {
        this.#context.counters.log_stalls_total++;
        interrupt('audit');
      }
      progress.behindAt = behind ? before : null;
    } catch (error) {
      interrupt(reasonOf(error));
    } finally {
      progress.auditing = false;
    }
  }
}

/** What one consumer has brought. */
interface Progress {
  /** Stream sequence of the last message; 0: none yet. */
  sequence: number;
  readonly joiner: PartJoiner;
  /** The position it began for, and whether a batch that reaches it has come. */
  readonly from: number;
  begun: boolean;
  auditing?: boolean;
  /** The last audit found the log ahead while `sequence` stood at this. */
  behindAt?: number | null;
}

function isTrouble({ type }: ConsumerNotification): boolean {
  switch (type) {
    case 'heartbeats_missed':
    case 'consumer_not_found':
    case 'stream_not_found':
    case 'consumer_deleted':
    case 'ordered_consumer_recreated':
    case 'reset':
    case 'no_responders':
    case 'exceeded_limits':
    case 'consumer_unpinned':
      return true;
    case 'debug':
    case 'discard':
    case 'next':
    case 'heartbeat':
    case 'flow_control':
    case 'consumer_pinned':
      return false;
    default:
      return false;
  }
}

interface StreamLogOptions {
  readonly stream: string;
  readonly subject: string;
  readonly address: LogAddress;
}

/** One subject of a stream, through the stream's API. */
class StreamLog implements PeekableLog {
  readonly #manager: JetStreamManager;
  readonly #options: StreamLogOptions;

  constructor(manager: JetStreamManager, options: StreamLogOptions) {
    this.#manager = manager;
    this.#options = options;
  }

  /**
   * Asks how far the stream is before it asks for messages, and fails if it has never had one: nats-server 2.9.10 dies
   * (nil pointer in `jsMsgGetRequest`) of a question for a message of a stream that is just being made.
   */
  async tail(beyond: number = 0): Promise<Peek | null> {
    const { state } = await this.#manager.streams.info(this.#options.stream);
    if (state.last_seq === 0) throw new Error('stream is empty');
    if (state.messages === 0 || state.last_seq === beyond) return null;
    return this.#peek({ last_by_subj: this.#options.subject });
  }

  at(sequence: number): Promise<Peek | null> {
    return this.#peek({ seq: sequence, next_by_subj: this.#options.subject });
  }

  async #peek(query: { last_by_subj: string } | { seq: number; next_by_subj: string }): Promise<Peek | null> {
    const found = await this.#manager.streams.getMessage(this.#options.stream, query);
    if (found === null) return null;
    const header = readLogHeader(found.header, found.data.length, this.#options.address);
    // Not written by a link: it says nothing of positions, and reading from there on does no harm.
    return { sequence: found.seq, first: header?.first ?? 0, last: header?.last ?? 0 };
  }
}
