import type { z } from 'zod';
import {
  httpKeyResponseSchema,
  httpListResponseSchema,
  httpProblemSchema,
  httpReceiptResponseSchema,
  httpSwapBodySchema,
  httpWatchEventSchema,
} from './http.ts';
import {
  httpConflictsResponseSchema,
  httpCounterBodySchema,
  httpDocumentBodySchema,
  httpFlagBodySchema,
  httpMultiBodySchema,
  httpRegionsResponseSchema,
  httpSetBodySchema,
} from './http-values.ts';
import { answerSchema, jsonSchemaOf } from './schemas.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

const schemas: Readonly<Record<string, z.ZodType>> = {
  KeyResponse: httpKeyResponseSchema,
  SwapBody: httpSwapBodySchema,
  ListResponse: httpListResponseSchema,
  WatchEvent: httpWatchEventSchema,
  ReceiptResponse: httpReceiptResponseSchema,
  CounterBody: httpCounterBodySchema,
  SetBody: httpSetBodySchema,
  FlagBody: httpFlagBodySchema,
  MultiBody: httpMultiBodySchema,
  DocumentBody: httpDocumentBodySchema,
  ConflictsResponse: httpConflictsResponseSchema,
  RegionsResponse: httpRegionsResponseSchema,
  Answer: answerSchema,
  Problem: httpProblemSchema,
};

/** The OpenAPI 3.1 document of the HTTP face, made from the schemas that check its bodies. */
export function openApiDocument(options: { readonly version: string; readonly serverUrl?: string }): JsonObject {
  return {
    openapi: '3.1.0',
    info: { title: 'Skerry', version: options.version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    ...(options.serverUrl === undefined ? {} : { servers: [{ url: options.serverUrl }] }),
    paths: {
      '/v1/kv/{key}': {
        parameters: [keyParameter],
        get: operation('getKey', 'Read a key.', [consistent, blocking, timeout, copies('r'), session], {
          200: keyAnswer,
        }),
        put: {
          ...operation(
            'setKey',
            'Write a key; with If-Match only if it has that version.',
            [consistent, blocking, timeout, copies('w'), ifMatch, ifNoneMatch, session],
            writeAnswers,
          ),
          requestBody: {
            required: true,
            content: { 'application/octet-stream': {}, 'text/plain': {}, 'application/x-www-form-urlencoded': {} },
          },
        },
        delete: operation(
          'deleteKey',
          'Delete a key of any type.',
          [consistent, blocking, timeout, copies('w'), ifMatch, session],
          writeAnswers,
        ),
      },
      '/v1/kv/{key}/swap': {
        parameters: [keyParameter],
        post: {
          ...operation(
            'swapKey',
            'Set newValue if the value is oldValue; null is "no such key".',
            [blocking, timeout, session],
            { 200: keyAnswer },
          ),
          requestBody: { required: true, content: json('SwapBody') },
        },
      },
      '/v1/kv': {
        get: operation(
          'listKeys',
          'One page of the keys under a prefix.',
          [
            query('prefix', text),
            query('after', text),
            query('limit', count),
            query('keysOnly', flag),
            consistent,
            timeout,
          ],
          {
            200: { description: 'A page; pass next as after for the next one.', content: json('ListResponse') },
          },
        ),
      },
      '/v1/counter/{key}': value('Counter', 'a counter', { post: 'Add to it, or reset it to 0.' }),
      '/v1/set/{key}': value('Set', 'a set', {
        post: 'Add or remove an element; removing takes what was seen, adding wins.',
      }),
      '/v1/flag/{key}': value('Flag', 'a flag', { put: 'Enable or disable it; of both at once enabling wins.' }),
      '/v1/multi/{key}': value('Multi', 'all concurrent values of a multi-value register, and their context', {
        put: 'Replace the values that the context names.',
      }),
      '/v1/doc/{key}': value('Document', 'the chunks of an Automerge document', {
        post: 'Add changes, or put one chunk in place of those that the context names.',
      }),
      '/v1/regions': {
        get: operation(
          'listRegions',
          'The regions, how far this one is behind them, and how far they are behind it.',
          [timeout],
          {
            200: { description: 'All regions that are known.', content: json('RegionsResponse') },
          },
        ),
      },
      '/v1/conflicts': {
        get: operation(
          'listConflicts',
          'What merges discarded, of the keys under a prefix.',
          [query('prefix', text), query('limit', count), query('before', text), timeout],
          {
            200: { description: 'Entries of the conflict ledger.', content: json('ConflictsResponse') },
          },
        ),
      },
      '/v1/watch': {
        get: operation(
          'watchKeys',
          'Changes of a key or of a prefix as server-sent events; resume with Last-Event-ID.',
          [query('key', text), query('prefix', text), query('cursor', text)],
          {
            200: {
              description: 'An event stream; the data of each event is a WatchEvent.',
              content: { 'text/event-stream': { schema: reference('WatchEvent') } },
            },
          },
        ),
      },
      '/v1/receipts/{receipt}': {
        parameters: [path('receipt', 'The receipt of a quorum-less write.')],
        get: operation('getReceipt', 'State of a quorum-less write.', [query('wait', flag), timeout], {
          200: { description: 'Its state.', content: json('ReceiptResponse') },
        }),
      },
      '/v1/tickets/{ticket}': {
        parameters: [path('ticket', 'The ticket of an undecided write.')],
        get: operation('resolveTicket', 'Outcome of an undecided write, when it is known.', [timeout], {
          200: keyAnswer,
        }),
      },
      '/v1/status': {
        get: operation('getStatus', 'What this node knows of itself.', [], {
          200: { description: 'The status.', content: json('Answer') },
        }),
      },
    },
    components: {
      schemas: Object.fromEntries(
        Object.entries(schemas).map(([name, schema]) => [name, withoutDialect(jsonSchemaOf(schema) as JsonObject)]),
      ),
    },
  };
}

const text: JsonObject = { type: 'string' };
const flag: JsonObject = { type: 'boolean' };
const count: JsonObject = { type: 'integer', minimum: 1 };

function query(name: string, schema: JsonObject, description = ''): JsonObject {
  return { name, in: 'query', schema, ...(description === '' ? {} : { description }) };
}

function path(name: string, description: string): JsonObject {
  return { name, in: 'path', required: true, schema: text, description };
}

const keyParameter = path('key', 'The key, percent-encoded; slashes may stand as they are.');
const consistent = query(
  'consistent',
  { ...flag, default: true },
  'false: the local view of this node, with no quorum.',
);
const blocking = query('blocking', { ...flag, default: true }, 'true: answers only with a definite result.');
const timeout = query('timeout', { type: 'integer', minimum: 0, default: 1_000 }, 'Milliseconds, when not blocking.');
const copies = (name: 'r' | 'w'): JsonObject =>
  query(
    name,
    count,
    name === 'r' ? 'Local views to merge.' : 'Durable copies before the answer of a quorum-less write.',
  );
const session: JsonObject = {
  name: 'Skerry-Session',
  in: 'header',
  schema: text,
  description:
    'As the last answer had it, from whichever node: reads wait until the node has applied what the session has seen.',
};
const ifMatch: JsonObject = {
  name: 'If-Match',
  in: 'header',
  schema: text,
  description: 'The ETag that the key must have.',
};
const ifNoneMatch: JsonObject = {
  name: 'If-None-Match',
  in: 'header',
  schema: { const: '*' },
  description: 'Create only if absent.',
};

/** The two operations of a key of one type. */
function value(name: string, what: string, writes: { readonly post?: string; readonly put?: string }): JsonObject {
  const write = ([method, summary]: [string, string]): [string, JsonObject] => [
    method,
    {
      ...operation(
        `change${name}`,
        `${summary} WRONG_TYPE if the key holds another type.`,
        [consistent, blocking, timeout, copies('w'), session],
        writeAnswers,
      ),
      requestBody: { required: true, content: json(`${name}Body`) },
    },
  ];
  return {
    parameters: [keyParameter],
    get: operation(
      `get${name}`,
      `Read ${what}. WRONG_TYPE if the key holds another type.`,
      [consistent, blocking, timeout, copies('r'), session],
      { 200: keyAnswer },
    ),
    ...Object.fromEntries(Object.entries(writes).map(write)),
  };
}

function reference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}

function json(name: string): JsonObject {
  return { 'application/json': { schema: reference(name) } };
}

const keyAnswer: JsonObject = {
  description: 'The result.',
  headers: {
    ETag: { schema: text, description: 'The version, quoted.' },
    'Skerry-Session': {
      schema: text,
      description: 'What the session has seen by now; hand it back with the next request.',
    },
  },
  content: { ...json('KeyResponse'), 'application/octet-stream': {} },
};

const writeAnswers: JsonObject = {
  200: keyAnswer,
  202: {
    description: 'A quorum-less write is durable here; Location is the address of its receipt.',
    headers: { Location: { schema: text } },
    content: json('KeyResponse'),
  },
};

function operation(
  operationId: string,
  summary: string,
  parameters: readonly JsonObject[],
  responses: JsonObject,
): JsonObject {
  return {
    operationId,
    summary,
    parameters,
    responses: {
      ...responses,
      default: { description: 'An error.', content: { 'application/problem+json': { schema: reference('Problem') } } },
    },
  };
}

/** OpenAPI 3.1 names the dialect of all its schemas itself. */
function withoutDialect(schema: JsonObject): JsonObject {
  const { $schema: _, ...rest } = schema;
  return rest;
}
