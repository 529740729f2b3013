import {
  httpCounterBodySchema,
  httpDocumentBodySchema,
  httpFlagBodySchema,
  httpMultiBodySchema,
  httpSetBodySchema,
} from '@skerry/protocol';
import type { ValueChange, ValueType } from '@skerry/replica';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { ClientLimits } from '../limits.ts';
import type { Asking } from './asking.ts';
import { expectAnswer, keyBody, requireInTime } from './bodies.ts';
import { bytesOf, pathRest, readJson, readParameters, timeoutMsOf } from './parameters.ts';
import { HttpError } from './problem.ts';
import { isKnown, sendWritten, tagVersion } from './replies.ts';

/** Values of one type: read by `GET`, written by one other method. `DELETE /v1/kv/<key>` takes every type. */
interface ValueFace {
  /** Ends in a slash; the key follows. */
  readonly prefix: string;
  readonly type: ValueType;
  /** `PUT` where the body says what the value is to be, `POST` where it says what to do with it. */
  readonly method: 'POST' | 'PUT';
  readonly readChange: (request: FastifyRequest) => ValueChange;
}

const faces: readonly ValueFace[] = [
  {
    prefix: '/v1/counter/',
    type: 'counter',
    method: 'POST',
    readChange: changeReader(httpCounterBodySchema, (body) =>
      'add' in body ? { type: 'counter', action: 'add', amount: body.add } : { type: 'counter', action: 'reset' },
    ),
  },
  {
    prefix: '/v1/set/',
    type: 'set',
    method: 'POST',
    readChange: changeReader(httpSetBodySchema, (body) =>
      'add' in body
        ? { type: 'set', action: 'add', element: bytesOf('add', body.add, body.encoding) }
        : { type: 'set', action: 'remove', element: bytesOf('remove', body.remove, body.encoding) },
    ),
  },
  {
    prefix: '/v1/flag/',
    type: 'flag',
    method: 'PUT',
    readChange: changeReader(httpFlagBodySchema, ({ enabled }) => ({
      type: 'flag',
      action: enabled ? 'enable' : 'disable',
    })),
  },
  {
    prefix: '/v1/multi/',
    type: 'multiRegister',
    method: 'PUT',
    readChange: changeReader(httpMultiBodySchema, ({ value, encoding, context }) => ({
      type: 'multiRegister',
      value: bytesOf('value', value, encoding),
      context,
    })),
  },
  {
    prefix: '/v1/doc/',
    type: 'document',
    method: 'POST',
    readChange: changeReader(httpDocumentBodySchema, (body) => {
      const { operations } = body;
      return 'change' in body
        ? { type: 'document', action: 'change', bytes: bytesOf('change', body.change, 'base64'), operations }
        : {
            type: 'document',
            action: 'compact',
            bytes: bytesOf('compact', body.compact, 'base64'),
            operations,
            context: body.context,
          };
    }),
  },
];

function changeReader<Body>(
  schema: z.ZodType<Body>,
  changeOf: (body: Body) => ValueChange,
): (request: FastifyRequest) => ValueChange {
  return ({ headers, body }) => changeOf(readJson(headers['content-type'], body, schema));
}

export function addValueRoutes(app: FastifyInstance, asking: Asking, limits: ClientLimits): void {
  for (const face of faces) {
    app.get(`${face.prefix}*`, (request, reply) => readValue(asking, face, { request, reply }));
    app.route({
      method: face.method,
      url: `${face.prefix}*`,
      bodyLimit: limits.httpJsonBytesMax,
      handler: (request, reply) => changeValue(asking, face, { request, reply }),
    });
  }
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

async function readValue(asking: Asking, { prefix, type }: ValueFace, { request, reply }: Exchange): Promise<unknown> {
  const key = pathRest(request.url, prefix);
  const parameters = readParameters(request.query, ['consistent', 'blocking', 'timeout', 'r']);
  const { consistent = true, r } = parameters;
  const operation = { kind: 'read', key, type, consistent, ...(r === undefined ? {} : { r }) } as const;
  const answer = expectAnswer(await asking.readKey(reply, operation, timeoutMsOf(parameters)), 'key');
  requireInTime(answer);
  tagVersion(reply, answer);
  return isKnown(request, answer) ? reply.code(304).send() : keyBody(answer);
}

async function changeValue(
  asking: Asking,
  { prefix, readChange }: ValueFace,
  { request, reply }: Exchange,
): Promise<unknown> {
  const key = pathRest(request.url, prefix);
  const parameters = readParameters(request.query, ['consistent', 'blocking', 'timeout', 'w']);
  // A precondition that is passed over in silence would be taken for one that holds.
  if (request.headers['if-match'] !== undefined || request.headers['if-none-match'] !== undefined)
    throw new HttpError('BAD_REQUEST', 'If-Match and If-None-Match of a write are for /v1/kv');
  const { consistent = true, w } = parameters;
  const change = readChange(request);
  const operation = { kind: 'update', key, change, consistent, ...(w === undefined ? {} : { w }) } as const;
  const answer = await asking.write(reply, operation, { key, timeoutMs: timeoutMsOf(parameters) });
  return sendWritten(reply, expectAnswer(answer, 'key'));
}
