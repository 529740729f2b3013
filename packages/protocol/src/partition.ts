import { hashText } from '@skerry/base';

/** The partition that owns `key`, 0 to `partitionCount`-1. Fixed for ever: vectors in `partition.test.ts` hold it. */
export function partitionOf(key: string, partitionCount: number): number {
  return hashText(key) % partitionCount;
}
