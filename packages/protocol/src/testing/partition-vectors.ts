/**
 * Which partition owns a key must never change for a cluster that exists: with 3, 16 and 65536 partitions. Replica has
 * its own copy of the function; `test/tidy` runs it against these too.
 */
export const partitionVectors: readonly (readonly [key: string, of3: number, of16: number, of65536: number])[] = [
  ['', 2, 11, 31_755],
  ['a', 0, 3, 45_491],
  ['etc/hosts', 2, 15, 44_767],
  ['region-1/leader', 2, 10, 18_506],
  ['ключ', 1, 8, 23_928],
  ['\u{1f600}', 0, 6, 42_022],
  ['x'.repeat(1_024), 0, 2, 61_282],
];
