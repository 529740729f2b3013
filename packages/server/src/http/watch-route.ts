import type { ServerResponse } from 'node:http';
import type { ErrorCode } from '@skerry/protocol';
import type { Answer } from '@skerry/replica';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ClientLimits } from '../limits.ts';
import type { Asker, OpenRequests } from '../requests.ts';
import { expectAnswer, watchBody } from './bodies.ts';
import { readParameters } from './parameters.ts';
import { HttpError } from './problem.ts';

/** How long the head waits for the first answer, so that a watch that is refused gets a status of its own. */
const headDelayMs = 100;
/** A comment this often keeps proxies from taking the stream for dead. */
const keepAliveMs = 15_000;

/** Streams of server-sent events that are open; each goes on elsewhere from its `Last-Event-ID` when this node stops. */
export class WatchStreams {
  readonly #requests: OpenRequests;
  readonly #limits: ClientLimits;
  readonly #countError: (code: ErrorCode) => void;
  readonly #open = new Set<WatchStream>();

  constructor(requests: OpenRequests, limits: ClientLimits, countError: (code: ErrorCode) => void) {
    this.#requests = requests;
    this.#limits = limits;
    this.#countError = countError;
  }

  get count(): number {
    return this.#open.size;
  }

  start(request: FastifyRequest, reply: FastifyReply): void {
    const { key, prefix, cursor } = readParameters(request.query, ['key', 'prefix', 'cursor']);
    if ((key === undefined) === (prefix === undefined)) throw new HttpError('BAD_REQUEST', 'give either key or prefix');
    const lastEventId = request.headers['last-event-id'];
    reply.hijack();
    const stream = new WatchStream(reply.raw, {
      limits: this.#limits,
      onEnd: () => this.#open.delete(stream),
      onReady: () => this.#requests.watchReady(handle),
      countError: this.#countError,
    });
    this.#open.add(stream);
    const handle = this.#requests.open(stream, 0, {
      operation: {
        kind: 'watch',
        key: key ?? prefix ?? '',
        prefix: prefix !== undefined,
        cursor: typeof lastEventId === 'string' ? lastEventId : (cursor ?? null),
      },
      timeoutMs: null,
    });
    reply.raw.once('close', () => {
      this.#requests.cancel(handle);
      stream.end();
    });
  }

  stop(): void {
    for (const stream of this.#open) stream.end();
  }
}

interface WatchStreamOptions {
  readonly limits: ClientLimits;
  readonly onEnd: () => void;
  /** There is room for the next page of the current state. */
  readonly onReady: () => void;
  readonly countError: (code: ErrorCode) => void;
}

class WatchStream implements Asker {
  readonly #response: ServerResponse;
  readonly #limits: ClientLimits;
  readonly #onEnd: () => void;
  readonly #onReady: () => void;
  readonly #countError: (code: ErrorCode) => void;
  readonly #headTimer: NodeJS.Timeout;
  readonly #keepAlive: NodeJS.Timeout;
  #ended = false;

  constructor(response: ServerResponse, options: WatchStreamOptions) {
    this.#response = response;
    this.#limits = options.limits;
    this.#onEnd = options.onEnd;
    this.#onReady = options.onReady;
    this.#countError = options.countError;
    this.#headTimer = setTimeout(() => this.#writeHead(), headDelayMs);
    this.#keepAlive = setInterval(() => this.#write(':\n\n'), keepAliveMs);
  }

  onAnswer(_tag: number, answer: Answer): void {
    if (this.#ended) return;
    try {
      const changes = expectAnswer(answer, 'watch');
      const body = watchBody(changes);
      this.#write(`id: ${body.cursor}\ndata: ${JSON.stringify(body)}\n\n`);
      if (changes.reset === 'more' || changes.more === true) this.#whenDrained();
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.#fail(error);
    }
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#headTimer);
    clearInterval(this.#keepAlive);
    this.#response.end();
    this.#onEnd();
  }

  #fail({ problem }: HttpError): void {
    this.#countError(problem.code);
    const json = JSON.stringify(problem);
    if (this.#response.headersSent) this.#write(`event: error\ndata: ${json}\n\n`);
    else this.#response.writeHead(problem.status, { 'content-type': 'application/problem+json' }).write(json);
    this.end();
  }

  #whenDrained(): void {
    if (!this.#response.writableNeedDrain) this.#onReady();
    else this.#response.once('drain', this.#onReady);
  }

  #write(text: string): void {
    if (this.#response.writableLength > this.#limits.unreadBytesMax) {
      // It does not read; ending politely would queue still more.
      this.#countError('SLOW_CONSUMER');
      this.#response.destroy();
      this.end();
      return;
    }
    this.#writeHead();
    this.#response.write(text);
  }

  #writeHead(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    this.#response.flushHeaders();
  }
}
