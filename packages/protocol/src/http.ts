import { z } from 'zod';
import { errorCodes, type ErrorCode } from './errors.ts';
import { httpViewSchema, type HttpView } from './http-values.ts';
import type { Outcome, ReceiptState } from './operations.ts';

/**
 * Bodies of the HTTP face (DESIGN section 8). JSON carries a value as text; bytes that are not UTF-8 as base64, and then
 * `encoding` says so. A body of `PUT` is the value itself.
 */
export interface HttpKeyResponse {
  readonly valid: boolean;
  readonly timeout: boolean;
  readonly value: string | null;
  readonly encoding?: 'base64';
  readonly version: string | null;
  /** The value of every type but the register; `value` is null then. Absent if there is no such key. */
  readonly view?: HttpView;
  readonly outcome?: Outcome;
  /** Address of the receipt's state: `/v1/receipts/<receipt>`. */
  readonly receipt?: string;
  /** Address that tells the outcome when it is known: `/v1/tickets/<ticket>`. */
  readonly ticket?: string;
  /** The deadline came before the node had applied what the `Skerry-Session` of the request has seen. */
  readonly behind?: true;
}

export interface HttpSwapBody {
  readonly newValue: string | null;
  readonly oldValue: string | null;
  /** Of both values; text unless it says base64. */
  readonly encoding?: 'base64' | 'text';
}

/** A key and its value: `value` of a register, `view` of every other type. Neither: it is deleted, or only keys were asked for. */
export interface HttpEntry {
  readonly key: string;
  readonly value: string | null;
  readonly encoding?: 'base64';
  readonly view?: HttpView;
  readonly version: string;
}

export interface HttpListResponse {
  readonly entries: readonly HttpEntry[];
  readonly next: string | null;
  readonly timeout: boolean;
}

export interface HttpWatchEvent {
  readonly events: readonly HttpEntry[];
  readonly cursor: string;
  readonly reset?: 'more' | 'last';
}

export interface HttpReceiptResponse {
  readonly state: ReceiptState;
  readonly reason?: string;
  readonly version: string | null;
  readonly timeout: boolean;
}

/** RFC 9457 problem details; `code` is a row of the error table. */
export interface HttpProblem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly definite: boolean;
  readonly retry: string;
  readonly ticket?: string;
}

const base64 = z.literal('base64').exactOptional();
const outcome = z.enum(['applied', 'refused', 'notApplied', 'undecided']);
const view = httpViewSchema.exactOptional();
const entry = z.strictObject({
  key: z.string(),
  value: z.string().nullable(),
  encoding: base64,
  view,
  version: z.string(),
});

export const httpKeyResponseSchema: z.ZodType<HttpKeyResponse> = z.strictObject({
  valid: z.boolean(),
  timeout: z.boolean(),
  value: z.string().nullable(),
  encoding: base64,
  version: z.string().nullable(),
  view,
  outcome: outcome.exactOptional(),
  receipt: z.string().exactOptional(),
  ticket: z.string().exactOptional(),
  behind: z.literal(true).exactOptional(),
});
export const httpSwapBodySchema: z.ZodType<HttpSwapBody> = z.strictObject({
  newValue: z.string().nullable(),
  oldValue: z.string().nullable(),
  encoding: z.enum(['base64', 'text']).exactOptional(),
});
export const httpListResponseSchema: z.ZodType<HttpListResponse> = z.strictObject({
  entries: z.array(entry),
  next: z.string().nullable(),
  timeout: z.boolean(),
});
export const httpWatchEventSchema: z.ZodType<HttpWatchEvent> = z.strictObject({
  events: z.array(entry),
  cursor: z.string(),
  reset: z.enum(['more', 'last']).exactOptional(),
});
export const httpReceiptResponseSchema: z.ZodType<HttpReceiptResponse> = z.strictObject({
  state: z.enum(['accepted', 'promoted', 'merged', 'superseded', 'rejected', 'unknown']),
  reason: z.string().exactOptional(),
  version: z.string().nullable(),
  timeout: z.boolean(),
});
export const httpProblemSchema: z.ZodType<HttpProblem> = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(errorCodes as [ErrorCode, ...ErrorCode[]]),
  definite: z.boolean(),
  retry: z.enum(['no', 'sameNode', 'otherNode', 'later']),
  ticket: z.string().exactOptional(),
});
