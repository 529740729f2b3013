/**
 * A broken invariant: a bug in Skerry, never an operating failure. It crashes the node, with the numbers that
 * explain it in the message.
 */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Facts that explain a broken invariant; printed into its message. */
export type AssertDetails = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * Throws {@link InvariantError} unless `condition` holds. For facts that can only be false through a bug;
 * operating failures are typed errors from the table in `@skerry/protocol`.
 */
export function assert(condition: boolean, message: string, details?: AssertDetails): asserts condition {
  if (condition) return;
  throw new InvariantError(details === undefined ? message : `${message} ${formatDetails(details)}`);
}

/** Returns `value`, which must not be null or undefined. */
export function assertPresent<T>(value: T | null | undefined, message: string, details?: AssertDetails): T {
  assert(value !== null && value !== undefined, message, details);
  return value;
}

/** The default branch of an exhaustive switch over a discriminated union. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}

function formatDetails(details: AssertDetails): string {
  return Object.entries(details)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}
