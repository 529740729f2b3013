import type { Socket } from 'node:net';
import { openApiDocument, type HttpRegionsResponse } from '@skerry/protocol';
import type { Seen } from '@skerry/replica';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { ClientLimits } from '../limits.ts';
import type { OpenRequests } from '../requests.ts';
import { Asking } from './asking.ts';
import { conflictsBody, expectAnswer, keyAnswerOfTxn, keyBody, receiptBody, requireInTime } from './bodies.ts';
import { addKeyRoutes } from './key-routes.ts';
import { pathRest, readParameters, timeoutMsOf } from './parameters.ts';
import { HttpError } from './problem.ts';
import { HttpSessions } from './session.ts';
import { addValueRoutes } from './value-routes.ts';
import { WatchStreams } from './watch-route.ts';

export interface HttpFaceOptions {
  readonly version: string;
  readonly partitionCount: number;
  readonly limits: ClientLimits & { readonly valueBytesMax: number };
  readonly requests: OpenRequests;
  /** Births of the sessions of this face are taken from it. */
  readonly clusterNowMs: () => number;
  /** What this node has applied. */
  readonly seen: () => Seen;
  readonly log: Logger;
  readonly countRequest: (operation: string) => void;
  readonly countError: (code: HttpError['problem']['code']) => void;
}

/** Addresses and the methods they take, to tell a wrong method from a wrong address. */
const addresses: readonly RegExp[] = [
  /^\/v1\/kv(\/|$)/,
  /^\/v1\/(counter|set|flag|multi|doc)\//,
  /^\/v1\/(watch|status|regions|conflicts)$/,
  /^\/v1\/(receipts|tickets)\//,
  /^\/openapi\.json$/,
];

/** The HTTP API of DESIGN section 8, on the port where clients also connect by WebSocket. */
export class HttpFace {
  readonly app: FastifyInstance;
  readonly #watches: WatchStreams;
  /** Responses under way, watches aside. */
  #open = 0;
  /** Until the node takes part, and from when it stops. */
  #refusing = true;

  constructor(options: HttpFaceOptions) {
    const { requests, limits, partitionCount, countRequest, clusterNowMs, seen } = options;
    this.#watches = new WatchStreams(requests, limits, options.countError);
    const asking = new Asking({
      requests,
      sessions: new HttpSessions(partitionCount, clusterNowMs),
      partitionCount,
      countRequest,
      seen,
    });
    this.app = makeApp(options.log, (error) => options.countError(error.problem.code));
    this.app.addHook('onRequest', async (request, reply) => this.#begin(request, reply));
    addKeyRoutes(this.app, asking, limits);
    addValueRoutes(this.app, asking, limits);
    const document = openApiDocument({ version: options.version });
    this.app.get('/openapi.json', async () => document);
    this.app.get('/v1/watch', (request, reply) => {
      countRequest('watch');
      this.#watches.start(request, reply);
    });
    this.app.get('/v1/receipts/*', (request, reply) => getReceipt(asking, request, reply));
    this.app.get('/v1/tickets/*', (request, reply) => resolveTicket(asking, request, reply));
    this.app.get('/v1/regions', async (request, reply): Promise<HttpRegionsResponse> => {
      const timeoutMs = timeoutMsOf(readParameters(request.query, ['blocking', 'timeout']));
      const { regions } = expectAnswer(await asking.read(reply, { kind: 'regions' }, timeoutMs), 'regions');
      return { regions };
    });
    this.app.get('/v1/conflicts', (request, reply) => listConflicts(asking, request, reply));
    this.app.get('/v1/status', async (request, reply) => {
      readParameters(request.query, []);
      return expectAnswer(await asking.read(reply, { kind: 'status' }, null), 'status');
    });
  }

  get watchCount(): number {
    return this.#watches.count;
  }

  start(): void {
    this.#refusing = false;
  }

  /** What is open is answered, but for at most `drainMs`. New requests are refused with STOPPING. */
  async stop(drainMs: number): Promise<void> {
    this.#refusing = true;
    this.#watches.stop();
    const deadlineMs = performance.now() + drainMs;
    while (this.#open > 0 && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 5));
    await this.terminate();
  }

  /** Ends all connections at once. */
  async terminate(): Promise<void> {
    this.#refusing = true;
    const closed = this.app.close();
    this.app.server.closeAllConnections();
    await closed;
  }

  #begin(request: FastifyRequest, reply: FastifyReply): void {
    if (this.#refusing) {
      reply.header('connection', 'close');
      throw new HttpError('STOPPING', 'the node is starting or shutting down');
    }
    if (request.url.startsWith('/v1/watch')) return;
    this.#open++;
    reply.raw.once('close', () => this.#open--);
  }
}

/** Fastify with bodies as bytes and every error as a problem; the admin port uses it too. */
export function makeApp(log: Logger, onError: (error: HttpError) => void): FastifyInstance {
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 16_384 },
    clientErrorHandler: (error, socket) => {
      onError(new HttpError('BAD_REQUEST', 'not HTTP'));
      refuseSocket(socket, error);
    },
    frameworkErrors: (error, _request, reply) => {
      void sendProblem(reply as FastifyReply, error, { log, onError });
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, error as FastifyError, { log, onError }));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const known = addresses.some((address) => address.test(path));
    const error = known
      ? new HttpError('METHOD_NOT_ALLOWED', `${request.method} ${path}`)
      : new HttpError('NOT_FOUND', path);
    return sendProblem(reply, error, { log, onError });
  });
  return app;
}

/** What came is not HTTP, or took too long: the connection ends, with a reason if it can still be told one. */
function refuseSocket(socket: Socket, error: NodeJS.ErrnoException): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const { status, title } = new HttpError('BAD_REQUEST', '').problem;
  const body = JSON.stringify({
    type: 'urn:skerry:error:BAD_REQUEST',
    title,
    status,
    code: 'BAD_REQUEST',
    detail: 'not HTTP',
  });
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function sendProblem(
  reply: FastifyReply,
  error: Error & { readonly code?: string },
  { log, onError }: { readonly log: Logger; readonly onError: (error: HttpError) => void },
): FastifyReply {
  const known = error instanceof HttpError ? error : problemOfFastify(error);
  if (known === null) {
    log.error({ err: error }, 'an HTTP request failed for an unknown reason');
    return sendJson(reply, 500, { type: 'about:blank', title: 'Internal error', status: 500 });
  }
  onError(known);
  return sendJson(reply, known.problem.status, known.problem);
}

function sendJson(reply: FastifyReply, status: number, problem: object): FastifyReply {
  // As bytes, since Fastify adds a charset to text, which this media type does not have.
  return reply
    .code(status)
    .type('application/problem+json')
    .send(Buffer.from(JSON.stringify(problem)));
}

function problemOfFastify(error: Error & { readonly code?: string; readonly statusCode?: number }): HttpError | null {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new HttpError('VALUE_TOO_LARGE', 'the body is larger than may be');
    case 'FST_ERR_BAD_URL':
      return new HttpError('KEY_NOT_UTF8', 'the path is not percent-encoded UTF-8');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new HttpError('UNSUPPORTED_MEDIA_TYPE', error.message);
    default:
      return error.statusCode !== undefined && error.statusCode < 500
        ? new HttpError('BAD_REQUEST', error.message)
        : null;
  }
}

async function getReceipt(asking: Asking, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const receipt = pathRest(request.url, '/v1/receipts/');
  const { wait = false, timeout } = readParameters(request.query, ['wait', 'timeout']);
  const timeoutMs = timeoutMsOf({ timeout });
  return receiptBody(expectAnswer(await asking.read(reply, { kind: 'receipt', receipt, wait }, timeoutMs), 'receipt'));
}

async function listConflicts(asking: Asking, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const parameters = readParameters(request.query, ['prefix', 'limit', 'before', 'blocking', 'timeout']);
  const { prefix = '', limit = 100, before } = parameters;
  const operation = { kind: 'conflicts', prefix, limit, ...(before === undefined ? {} : { before }) } as const;
  return conflictsBody(expectAnswer(await asking.read(reply, operation, timeoutMsOf(parameters)), 'conflicts'));
}

async function resolveTicket(asking: Asking, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const ticket = pathRest(request.url, '/v1/tickets/');
  const { timeout } = readParameters(request.query, ['timeout']);
  const answer = await asking.resolve(reply, ticket, timeoutMsOf({ timeout }));
  const key = answer.kind === 'txn' ? keyAnswerOfTxn(answer) : expectAnswer(answer, 'key');
  requireInTime(key);
  if (key.version !== null) reply.header('etag', `"${key.version}"`);
  return keyBody(key);
}
