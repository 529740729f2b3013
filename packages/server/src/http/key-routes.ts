import { httpSwapBodySchema } from '@skerry/protocol';
import type { Compare, TxnOperation, WriteOperation } from '@skerry/replica';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ClientLimits } from '../limits.ts';
import type { Asking } from './asking.ts';
import { expectAnswer, keyAnswerOfTxn, keyBody, listBody, requireInTime } from './bodies.ts';
import { bytesOf, pathRest, readJson, readParameters, timeoutMsOf, type Parameters } from './parameters.ts';
import { HttpError } from './problem.ts';
import { isKnown, readTags, sendWritten, tagVersion } from './replies.ts';

const prefix = '/v1/kv/';
const swapSuffix = '/swap';
/** The form type is what curl says of any `--data` unless told otherwise; its bytes are taken as they are, too. */
const valueTypes: ReadonlySet<string> = new Set([
  '',
  'text/plain',
  'application/octet-stream',
  'application/x-www-form-urlencoded',
]);

export function addKeyRoutes(
  app: FastifyInstance,
  asking: Asking,
  limits: ClientLimits & { readonly valueBytesMax: number },
): void {
  app.get(`${prefix}*`, (request, reply) => getKey(asking, request, reply));
  app.put(`${prefix}*`, { bodyLimit: limits.valueBytesMax }, (request, reply) => putKey(asking, request, reply));
  app.delete(`${prefix}*`, (request, reply) => deleteKey(asking, request, reply));
  app.post(`${prefix}*`, { bodyLimit: limits.httpJsonBytesMax }, (request, reply) => swapKey(asking, request, reply));
  app.get('/v1/kv', (request, reply) => listKeys(asking, request, reply));
}

async function getKey(asking: Asking, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const key = pathRest(request.url, prefix);
  const parameters = readParameters(request.query, ['consistent', 'blocking', 'timeout', 'r']);
  const { consistent = true, r } = parameters;
  const operation = { kind: 'get', key, consistent, ...(r === undefined ? {} : { r }) } as const;
  const answer = expectAnswer(await asking.readKey(reply, operation, timeoutMsOf(parameters)), 'key');
  requireInTime(answer);
  tagVersion(reply, answer);
  if (isKnown(request, answer)) return reply.code(304).send();
  const accepted = request.headers.accept ?? '';
  if (!/\b(application\/octet-stream|text\/plain)\b/.test(accepted)) return keyBody(answer);
  if (answer.value === null) throw new HttpError('NOT_FOUND', 'there is no such key');
  reply.type(accepted.includes('text/plain') ? 'text/plain; charset=utf-8' : 'application/octet-stream');
  return reply.send(Buffer.from(answer.value));
}

async function putKey(asking: Asking, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const key = pathRest(request.url, prefix);
  const type = (request.headers['content-type'] ?? '').toLowerCase();
  const [mediaType = '', charset = ''] = type.split(';').map((part) => part.trim());
  if (!valueTypes.has(mediaType) || !['', 'charset=utf-8', 'charset="utf-8"'].includes(charset)) {
    throw new HttpError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${type}; a value is sent as application/octet-stream, application/x-www-form-urlencoded (both raw bytes), ` +
        'text/plain in UTF-8, or without a content type',
    );
  }
  const value = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  return writeKey(asking, request, reply, {
    key,
    plain: (consistent, w) => ({ kind: 'set', key, value, consistent, ...w }),
    conditional: { kind: 'set', key, value },
  });
}

async function deleteKey(asking: Asking, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const key = pathRest(request.url, prefix);
  return writeKey(asking, request, reply, {
    key,
    plain: (consistent, w) => ({ kind: 'delete', key, consistent, ...w }),
    conditional: { kind: 'delete', key },
  });
}

interface KeyWrite {
  readonly key: string;
  readonly plain: (consistent: boolean, w: { readonly w?: number }) => WriteOperation;
  readonly conditional: TxnOperation;
}

async function writeKey(
  asking: Asking,
  request: FastifyRequest,
  reply: FastifyReply,
  write: KeyWrite,
): Promise<unknown> {
  const { key } = write;
  const parameters = readParameters(request.query, ['consistent', 'blocking', 'timeout', 'w']);
  const { consistent = true, w } = parameters;
  const timeoutMs = timeoutMsOf(parameters);
  const compare = preconditionOf(request, key);
  if (compare === null) {
    const operation = write.plain(consistent, w === undefined ? {} : { w });
    return sendWritten(reply, expectAnswer(await asking.write(reply, operation, { key, timeoutMs }), 'key'));
  }
  if (!consistent || w !== undefined)
    throw new HttpError('BAD_REQUEST', 'If-Match and If-None-Match need consistent=true and no w');
  const operation: WriteOperation = { kind: 'txn', compares: [compare], then: [write.conditional], otherwise: [] };
  const answer = expectAnswer(await asking.write(reply, operation, { key, timeoutMs }), 'txn');
  requireInTime(answer);
  if (!answer.succeeded) throw new HttpError('PRECONDITION_FAILED', `the version of ${JSON.stringify(key)} is another`);
  return sendWritten(reply, keyAnswerOfTxn(answer));
}

async function swapKey(asking: Asking, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const rest = pathRest(request.url, prefix);
  if (!rest.endsWith(swapSuffix)) throw new HttpError('METHOD_NOT_ALLOWED', 'POST is for /v1/kv/<key>/swap');
  const key = rest.slice(0, -swapSuffix.length);
  const parameters: Parameters = readParameters(request.query, ['blocking', 'timeout']);
  const body = readJson(request.headers['content-type'], request.body, httpSwapBodySchema);
  const operation = {
    kind: 'swap',
    key,
    newValue: body.newValue === null ? null : bytesOf('newValue', body.newValue, body.encoding),
    oldValue: body.oldValue === null ? null : bytesOf('oldValue', body.oldValue, body.encoding),
  } as const;
  const answer = expectAnswer(await asking.write(reply, operation, { key, timeoutMs: timeoutMsOf(parameters) }), 'key');
  requireInTime(answer);
  // The caller wants to see what the value is instead, so this is an answer and not a problem.
  if (answer.outcome === 'refused') reply.code(409);
  return sendWritten(reply, answer);
}

async function listKeys(asking: Asking, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const parameters = readParameters(request.query, [
    'prefix',
    'after',
    'limit',
    'keysOnly',
    'consistent',
    'blocking',
    'timeout',
  ]);
  const { prefix: under = '', after = '', limit = 100, keysOnly = false, consistent = true } = parameters;
  const operation = { kind: 'list', prefix: under, after, limit, keysOnly, consistent } as const;
  const answer = expectAnswer(await asking.read(reply, operation, timeoutMsOf(parameters)), 'list');
  requireInTime(answer);
  return listBody(answer);
}

/** What `If-Match: "version"` or `If-None-Match: *` asks of the key; null if neither is there. */
function preconditionOf(request: FastifyRequest, key: string): Compare | null {
  const ifMatch = request.headers['if-match'];
  const ifNoneMatch = request.headers['if-none-match'];
  if (ifMatch !== undefined && ifNoneMatch !== undefined)
    throw new HttpError('BAD_REQUEST', 'both If-Match and If-None-Match');
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() !== '*') throw new HttpError('BAD_REQUEST', 'If-None-Match of a write must be *');
    return { kind: 'version', key, relation: '=', version: null };
  }
  if (ifMatch === undefined) return null;
  const [version, second] = readTags(ifMatch);
  if (version === undefined || second !== undefined)
    throw new HttpError('BAD_REQUEST', 'If-Match takes one quoted version');
  return { kind: 'version', key, relation: '=', version };
}
