import type { SkerryError } from '@skerry/client';

/** Exit codes of every `skerry` command; DESIGN section 8. */
export const exitCode = {
  valid: 0,
  /** Wrong usage, no connection, a typed error from the cluster. */
  failure: 1,
  /** Not found, a mismatch, a refusal. */
  refused: 2,
  timeout: 3,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** A failure that the user can act on: printed as one line without a stack, and the command ends with `code`. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: ExitCode;

  constructor(message: string, code: ExitCode = exitCode.failure) {
    super(message);
    this.code = code;
  }
}

/** An error of the one table. By name, since the class is only loaded with the client. */
export function isTypedError(error: unknown): error is SkerryError {
  return error instanceof Error && error.name === 'SkerryError';
}
