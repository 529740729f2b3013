import type { KeyAnswer } from '@skerry/replica';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { keyBody, requireInTime } from './bodies.ts';
import { receiptAddress } from './problem.ts';

/** What a write of a key came to; 202 with the address of the receipt if it was quorum-less. */
export function sendWritten(reply: FastifyReply, answer: KeyAnswer): unknown {
  requireInTime(answer);
  tagVersion(reply, answer);
  if (answer.receipt !== undefined) reply.code(202).header('location', receiptAddress(answer.receipt));
  return keyBody(answer);
}

export function tagVersion(reply: FastifyReply, { version }: KeyAnswer): void {
  if (version !== null) reply.header('etag', `"${version}"`);
}

/** The reader has this version already, and there is nothing else to tell. */
export function isKnown(request: FastifyRequest, { version, behind }: KeyAnswer): boolean {
  return version !== null && behind === undefined && readTags(request.headers['if-none-match']).includes(version);
}

/** The tags of `"a", W/"b"`; none if the header is absent or of another form. */
export function readTags(header: string | undefined): string[] {
  return [...(header ?? '').matchAll(/"([^"]*)"/g)].map(([, tag]) => tag ?? '');
}
