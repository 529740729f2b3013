import { compareVersions } from '../version.ts';
import { showSeen, type Dump, type Facts, type Seen, type Violation, type WriteFact } from './facts.ts';

/**
 * I11: nothing deleted comes back unless it is written again. After an acknowledged delete, a value is in order only if
 * some write of it may be later than the delete. Judged in every dump, and in the consistent reads of the region of the
 * delete that were asked for after its acknowledgement.
 */
export function checkDeletedStaysDeleted({ writes, reads }: Facts, dumps: readonly Dump[]): Violation[] {
  const violations: Violation[] = [];
  for (const deletion of writes) {
    if (deletion.value !== null || (deletion.outcome !== 'applied' && deletion.outcome !== 'accepted')) continue;
    const seen: { readonly where: string; readonly what: Seen | undefined }[] = [
      ...dumps.map((dump) => ({ where: dump.node, what: dump.entries.get(deletion.key) })),
      ...reads
        .filter(
          (read) =>
            read.key === deletion.key && read.consistent && deletion.consistent && read.region === deletion.region,
        )
        .filter((read) => read.invokedAt > deletion.acknowledgedAt)
        .map((read) => ({ where: `a later read by ${read.process}`, what: read })),
    ];
    for (const { where, what } of seen) {
      if (what === undefined || what.value === null || isWrittenAgain(what, deletion, writes)) continue;
      violations.push({
        invariant: 'I11',
        key: deletion.key,
        message: `deleted${deletion.version === undefined ? '' : ` @${deletion.version}`} by ${deletion.process}, but ${where} shows ${showSeen(what)}`,
      });
    }
  }
  return violations;
}

function isWrittenAgain(seen: Seen, deletion: WriteFact, writes: readonly WriteFact[]): boolean {
  if (
    seen.version !== undefined &&
    deletion.version !== undefined &&
    compareVersions(seen.version, deletion.version) < 0
  )
    return false;
  return writes.some(
    (write) =>
      write.key === deletion.key &&
      write.value === seen.value &&
      write.outcome !== 'noEffect' &&
      mayFollow(write, deletion),
  );
}

/** Versions say it if both are known; else real time, for a write that was over before the delete began is earlier. */
function mayFollow(write: WriteFact, deletion: WriteFact): boolean {
  if (write.version !== undefined && deletion.version !== undefined)
    return compareVersions(write.version, deletion.version) > 0;
  return write.acknowledgedAt > deletion.invokedAt;
}
