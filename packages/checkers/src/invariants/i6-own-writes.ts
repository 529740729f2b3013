import { coversWrite, showSeen, type Facts, type Violation } from './facts.ts';

/**
 * I6: a node returns its own quorum-less write until it knows of a later one. A local read that a node was asked for
 * after it had acknowledged a write sees that write or a later one. Needs the node of each call.
 */
export function checkOwnWrites({ writes, reads }: Facts): Violation[] {
  const violations: Violation[] = [];
  for (const write of writes) {
    if (write.consistent || write.node === undefined) continue;
    for (const read of reads) {
      const concerns =
        read.node === write.node && read.region === write.region && read.key === write.key && !read.consistent;
      if (!concerns || read.invokedAt < write.acknowledgedAt || coversWrite(read, write, writes)) continue;
      violations.push({
        invariant: 'I6',
        key: write.key,
        message: `${write.node} acknowledged ${showSeen(write)} to ${write.process} and later returned ${showSeen(read)} to ${read.process}`,
      });
    }
  }
  return violations;
}
