import { errorEntry, type ErrorCode, type RetryAdvice } from '@skerry/protocol';

export interface SkerryErrorOptions {
  readonly code: ErrorCode;
  readonly detail?: string;
  /** Of a write that may have been applied: pass it to `resolve`. Makes the error indefinite. */
  readonly ticket?: string;
  /** Only to weaken or sharpen what the table says, where the client knows more. */
  readonly definite?: boolean;
}

/** What every call of the client rejects with. The codes are the rows of docs/errors.md. */
export class SkerryError extends Error {
  override readonly name = 'SkerryError';
  readonly code: ErrorCode;
  readonly detail: string;
  /** The call has had no effect and never will have one. */
  readonly definite: boolean;
  readonly retry: RetryAdvice;
  readonly ticket: string | null;

  constructor({ code, detail = '', ticket, definite }: SkerryErrorOptions) {
    const entry = errorEntry(code);
    super(detail === '' ? `${code}: ${entry.text}` : `${code}: ${entry.text} (${detail})`);
    this.code = code;
    this.detail = detail;
    this.ticket = ticket ?? null;
    this.definite = ticket === undefined && (definite ?? entry.definite);
    this.retry = entry.retry;
  }
}
