import type { Answer, Causality } from '@skerry/protocol';
import type { CallEntry, CallRequest } from './pending.ts';
import { parseReceipt } from './receipt.ts';
import type { NodeSeen, SessionToken } from './token.ts';

/*
 * Reads at a node that may not have what the session saw elsewhere (I13). The node is asked to wait for it, but not for
 * ever: what a lost region never sent may come in hours, and reads go on meanwhile with answers that say `behind`. One
 * read waits; after it was in vain, later ones of the same partition do not, until the node has caught up.
 */

export interface Views {
  readonly token: SessionToken;
  /** What the node at the other end has. */
  readonly node: NodeSeen;
}

/** For how long a read is sent, and what it asks the node to wait for. */
export function catchesUp(
  { request, reading }: CallEntry,
  timeoutMs: number | null,
  { token, node, defaultMs }: Views & { readonly defaultMs: number },
): { timeoutMs: number | null; after: Causality | null } {
  reading.missing = request.shows ? token.missing(request.partition, node) : null;
  const waitMs = request.catchUpMs ?? (node.stuck.has(request.partition) ? 0 : defaultMs);
  reading.asked = reading.missing !== null && !reading.waited && waitMs > 0;
  reading.cut = reading.asked && (timeoutMs === null || waitMs < timeoutMs);
  return { timeoutMs: reading.cut ? waitMs : timeoutMs, after: reading.asked ? reading.missing : null };
}

/** The node could not answer in the time that was given to catching up; the call has more, and is to be sent again without. */
export function isCutShort({ reading }: CallEntry, answer: Answer): boolean {
  return reading.cut && 'timeout' in answer && answer.timeout && !saysBehind(answer);
}

/** Whether the answer may be older than what the session has seen. */
export function isBehind({ request, reading }: CallEntry, answer: Answer, node: NodeSeen): boolean {
  if (saysBehind(answer)) {
    node.stuck.add(request.partition);
    return true;
  }
  if (reading.missing === null) return false;
  // Listings have no field to say it with.
  const isTold = reading.asked && answer.kind === 'key';
  if (isTold && answer.valid) node.confirm(request.partition, reading.missing);
  return !isTold && !node.has(reading.missing);
}

/** The session has seen what the answer shows; an own quorum-less write must be seen from now on. */
export function noteAnswer(request: CallRequest, answer: Answer, { token, node }: Views): void {
  if (request.shows || request.write) token.fold(request.partition, node);
  if (answer.kind === 'key' && answer.receipt !== undefined) {
    const receipt = parseReceipt(answer.receipt);
    if (receipt !== null) token.wrote(receipt.partition, receipt.dot);
  }
  if (
    answer.kind === 'receipt' &&
    request.operation.kind === 'receipt' &&
    answer.state !== 'accepted' &&
    answer.state !== 'unknown'
  ) {
    const receipt = parseReceipt(request.operation.receipt);
    if (receipt !== null) token.settled(receipt.partition, receipt.dot, node);
  }
}

function saysBehind(answer: Answer): boolean {
  return answer.kind === 'key' && answer.behind === true;
}
