import { errorEntry, type ErrorCode, type HttpProblem } from '@skerry/protocol';

/** Ends the handling of an HTTP request with a problem. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly problem: HttpProblem;

  constructor(
    code: ErrorCode,
    detail: string,
    options: { readonly definite?: boolean; readonly ticket?: string } = {},
  ) {
    super(`${code}: ${detail}`);
    const entry = errorEntry(code);
    this.problem = {
      type: `urn:skerry:error:${code}`,
      title: entry.text,
      status: entry.httpStatus,
      detail,
      code,
      // An error that carries a ticket is indefinite whatever stands in the table.
      definite: options.ticket === undefined && (options.definite ?? entry.definite),
      retry: entry.retry,
      ...(options.ticket === undefined ? {} : { ticket: ticketAddress(options.ticket) }),
    };
  }
}

export function receiptAddress(receipt: string): string {
  return `/v1/receipts/${encodeURIComponent(receipt)}`;
}

export function ticketAddress(ticket: string): string {
  return `/v1/tickets/${encodeURIComponent(ticket)}`;
}
