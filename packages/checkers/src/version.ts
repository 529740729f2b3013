/**
 * A version as the API shows it: opaque, comparable per key. A checker orders versions as text, shorter ones first,
 * which is right for decimal numbers without leading zeros and for codes of one width.
 */
export type Version = string;

/** Negative, zero or positive. */
export function compareVersions(a: Version, b: Version): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
