import { utf8Encode } from '@skerry/base';
import { z } from 'zod';
import { HttpError } from './problem.ts';

const flag = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((text) => text === 'true')
  .optional();
const count = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, 'must be a positive whole number')
  .transform(Number)
  .optional();
const milliseconds = z
  .string()
  .regex(/^\d{1,9}$/, 'must be a number of milliseconds')
  .transform(Number)
  .optional();
const text = z.string().optional();

export interface Parameters {
  readonly consistent?: boolean | undefined;
  readonly blocking?: boolean | undefined;
  readonly timeout?: number | undefined;
  readonly wait?: boolean | undefined;
  readonly keysOnly?: boolean | undefined;
  readonly r?: number | undefined;
  readonly w?: number | undefined;
  readonly limit?: number | undefined;
  readonly prefix?: string | undefined;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
  readonly key?: string | undefined;
  readonly cursor?: string | undefined;
  readonly mode?: string | undefined;
}

const kinds: { readonly [Name in keyof Parameters]-?: z.ZodType } = {
  consistent: flag,
  blocking: flag,
  timeout: milliseconds,
  wait: flag,
  keysOnly: flag,
  r: count,
  w: count,
  limit: count,
  prefix: text,
  after: text,
  before: text,
  key: text,
  cursor: text,
  mode: text,
};

/** The query of a request that takes these parameters and no others. Throws {@link HttpError}. */
export function readParameters(query: unknown, names: readonly (keyof Parameters)[]): Parameters {
  const schema = z.strictObject(Object.fromEntries(names.map((name) => [name, kinds[name]])));
  const result = schema.safeParse(query);
  if (result.success) return result.data as Parameters;
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    throw new HttpError(
      'UNKNOWN_FIELD',
      `the query has ${issue.keys.join(', ')}; here it may have ${names.join(', ')}`,
    );
  }
  throw new HttpError('BAD_REQUEST', `${issue?.path.join('.')}: ${issue?.message}`);
}

export const timeoutMsDefault = 1_000;

/** null: blocking. A request that names a timeout does not block, unless it says both, which is a contradiction. */
export function timeoutMsOf({ blocking, timeout }: Parameters): number | null {
  if (blocking === true && timeout !== undefined) throw new HttpError('BAD_REQUEST', 'timeout: needs blocking=false');
  if (blocking === false || timeout !== undefined) return timeout ?? timeoutMsDefault;
  return null;
}

/**
 * What follows `prefix` in the path, percent-decoded. The router's own decoding is passed by, since it does not tell bad
 * UTF-8 from a path that it does not know.
 */
export function pathRest(url: string, prefix: string): string {
  const path = url.split('?', 1)[0] ?? '';
  try {
    return decodeURIComponent(path.slice(prefix.length));
  } catch {
    throw new HttpError('KEY_NOT_UTF8', 'the path is not percent-encoded UTF-8');
  }
}

/** The JSON body, checked. Throws {@link HttpError}. */
export function readJson<T>(contentType: string | undefined, body: unknown, schema: z.ZodType<T>): T {
  if (contentType?.split(';', 1)[0]?.trim().toLowerCase() !== 'application/json') {
    throw new HttpError('UNSUPPORTED_MEDIA_TYPE', 'the body must be application/json');
  }
  let json: unknown;
  try {
    json = JSON.parse(Buffer.isBuffer(body) ? body.toString() : '');
  } catch {
    throw new HttpError('BAD_REQUEST', 'the body is not JSON');
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys')
    throw new HttpError('UNKNOWN_FIELD', `the body has ${issue.keys.join(', ')}`);
  throw new HttpError('BAD_REQUEST', [...(issue?.path ?? []), issue?.message].join(': '));
}

/** Bytes that stand in a JSON body as `name`. Throws {@link HttpError}. */
export function bytesOf(name: string, value: string, encoding: 'base64' | 'text' | undefined): Uint8Array {
  if (encoding !== 'base64') return utf8Encode(value);
  const bytes = Buffer.from(value, 'base64');
  // Node skips what is not base64; that would write something else than was meant.
  if (bytes.toString('base64').replaceAll('=', '') !== value.replaceAll('=', '')) {
    throw new HttpError('BAD_REQUEST', `${name} is not base64`);
  }
  return bytes;
}
