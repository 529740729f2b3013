import { z } from 'zod';
import type { ConflictReason, RegionStatus } from './operations.ts';

/**
 * JSON of values of all types, and of what regions tell (DESIGN section 5). Bytes are text; if any of one value is not
 * UTF-8, all of it is base64 and `encoding` says so. Documents are always base64.
 */
export type HttpView =
  | { readonly type: 'register'; readonly value: string; readonly encoding?: 'base64' }
  | {
      readonly type: 'multiRegister';
      readonly values: readonly string[];
      readonly encoding?: 'base64';
      readonly context: string;
    }
  /** Decimal, since it may be larger than a JSON number holds exactly. */
  | { readonly type: 'counter'; readonly total: string }
  | { readonly type: 'set'; readonly elements: readonly string[]; readonly encoding?: 'base64' }
  | { readonly type: 'flag'; readonly enabled: boolean }
  | {
      readonly type: 'document';
      readonly chunks: readonly string[];
      readonly operations: number;
      readonly context: string;
    };

export type HttpCounterBody = { readonly add: number } | { readonly reset: true };

/** One element; text unless `encoding` says base64. */
export type HttpSetBody =
  | { readonly add: string; readonly encoding?: 'base64' | 'text' }
  | { readonly remove: string; readonly encoding?: 'base64' | 'text' };

export interface HttpFlagBody {
  readonly enabled: boolean;
}

export interface HttpMultiBody {
  readonly value: string;
  readonly encoding?: 'base64' | 'text';
  /** Of the view whose values this one replaces; null: it stands beside what is there. */
  readonly context: string | null;
}

/** Automerge changes, or one saved document in place of the chunks that `context` names; base64. */
export type HttpDocumentBody =
  | { readonly change: string; readonly operations: number }
  | { readonly compact: string; readonly operations: number; readonly context: string };

export interface HttpConflictsResponse {
  readonly entries: readonly {
    readonly id: string;
    readonly key: string;
    readonly reason: ConflictReason;
    /** null: a delete. */
    readonly loser: HttpView | null;
    readonly loserVersion: string;
    /** null: not known (any more). */
    readonly loserRegion: string | null;
    readonly winner: HttpView | null;
    readonly winnerVersion: string;
    readonly winnerRegion: string | null;
    readonly timeMs: number;
  }[];
  /** Pass as `before` for what comes after; null: that was all. */
  readonly next: string | null;
}

export interface HttpRegionsResponse {
  readonly regions: readonly (Omit<RegionStatus, 'region' | 'nodes'> & {
    readonly region: string;
    readonly nodes: readonly {
      readonly node: string;
      readonly clientUrl: string;
      readonly peerUrl: string;
      readonly adminUrl: string;
    }[];
  })[];
}

const base64 = z.literal('base64').exactOptional();
const encoding = z.enum(['base64', 'text']).exactOptional();
const operations = z.int().min(0);

export const httpViewSchema: z.ZodType<HttpView> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('register'), value: z.string(), encoding: base64 }),
  z.strictObject({
    type: z.literal('multiRegister'),
    values: z.array(z.string()),
    encoding: base64,
    context: z.string(),
  }),
  z.strictObject({ type: z.literal('counter'), total: z.string() }),
  z.strictObject({ type: z.literal('set'), elements: z.array(z.string()), encoding: base64 }),
  z.strictObject({ type: z.literal('flag'), enabled: z.boolean() }),
  z.strictObject({
    type: z.literal('document'),
    chunks: z.array(z.string()),
    operations: z.int(),
    context: z.string(),
  }),
]);

export const httpCounterBodySchema: z.ZodType<HttpCounterBody> = z.union(
  [z.strictObject({ add: z.int() }), z.strictObject({ reset: z.literal(true) })],
  { error: 'must be {"add": whole number} or {"reset": true}' },
);
export const httpSetBodySchema: z.ZodType<HttpSetBody> = z.union(
  [z.strictObject({ add: z.string(), encoding }), z.strictObject({ remove: z.string(), encoding })],
  { error: 'must be {"add": element} or {"remove": element}, perhaps with "encoding": "base64"' },
);
export const httpFlagBodySchema: z.ZodType<HttpFlagBody> = z.strictObject({ enabled: z.boolean() });
export const httpMultiBodySchema: z.ZodType<HttpMultiBody> = z.strictObject({
  value: z.string(),
  encoding,
  context: z.string().nullable(),
});
export const httpDocumentBodySchema: z.ZodType<HttpDocumentBody> = z.union(
  [
    z.strictObject({ change: z.string(), operations }),
    z.strictObject({ compact: z.string(), operations, context: z.string() }),
  ],
  {
    error:
      'must be {"change": base64, "operations": count} or {"compact": base64, "operations": count, "context": text}',
  },
);

export const httpConflictsResponseSchema: z.ZodType<HttpConflictsResponse> = z.strictObject({
  entries: z.array(
    z.strictObject({
      id: z.string(),
      key: z.string(),
      reason: z.enum(['superseded', 'overwrote', 'otherType', 'siblingLimit', 'documentDeleted', 'rejected']),
      loser: httpViewSchema.nullable(),
      loserVersion: z.string(),
      loserRegion: z.string().nullable(),
      winner: httpViewSchema.nullable(),
      winnerVersion: z.string(),
      winnerRegion: z.string().nullable(),
      timeMs: z.int(),
    }),
  ),
  next: z.string().nullable(),
});
export const httpRegionsResponseSchema: z.ZodType<HttpRegionsResponse> = z.strictObject({
  regions: z.array(
    z.strictObject({
      region: z.string(),
      state: z.enum(['self', 'up', 'down', 'evicted']),
      nodes: z.array(
        z.strictObject({ node: z.string(), clientUrl: z.string(), peerUrl: z.string(), adminUrl: z.string() }),
      ),
      partitions: z.array(
        z.strictObject({
          partition: z.int(),
          head: z.int(),
          applied: z.int(),
          lagMs: z.number(),
          unacknowledged: z.int(),
        }),
      ),
      clockOffsetMs: z.number().nullable(),
    }),
  ),
});
