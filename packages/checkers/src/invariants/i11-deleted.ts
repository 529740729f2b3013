import { compareVersions } from '../version.ts';
import { showSeen, Writers, type Dump, type Facts, type Seen, type Violation, type WriteFact } from './facts.ts';

/**
 * I11: nothing deleted comes back unless it is written again. After an acknowledged delete, a value is in order only if
 * some write of it may be later than the delete. Judged in every dump, and in the consistent reads of the region of the
 * delete that were asked for after its acknowledgement.
 */
export function checkDeletedStaysDeleted({ writes, reads }: Facts, dumps: readonly Dump[]): Violation[] {
  const violations: Violation[] = [];
  const writers = new Writers(writes);
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
      if (what === undefined || what.value === null || isWrittenAgain(what, deletion, writers)) continue;
      violations.push({
        invariant: 'I11',
        key: deletion.key,
        message: `deleted${deletion.version === undefined ? '' : ` @${deletion.version}`} by ${deletion.process}, but ${where} shows ${showSeen(what)}`,
      });
    }
  }
  return violations;
}

/**
 * I11 by real time, where versions say nothing as other regions write too: a consistent read that was called after a
 * consistent delete was over does not show the value of a consistent write that was over before that delete was called.
 * Values are written once; a quorum-less write may come later than it was acknowledged, so nothing is said of it here.
 */
export function checkDeletedByTime({ writes, reads }: Facts): Violation[] {
  const writtenBy = new Map<string, number>();
  for (const { key, value, consistent, acknowledgedAt } of writes)
    if (value !== null && consistent) writtenBy.set(`${key}=${value}`, acknowledgedAt);
  const deletes = writes.filter(
    ({ value, consistent, outcome }) => value === null && consistent && outcome === 'applied',
  );
  return reads.flatMap((read) => {
    const overAt = read.consistent && read.value !== null ? writtenBy.get(`${read.key}=${read.value}`) : undefined;
    if (overAt === undefined) return [];
    const gone = deletes.find(
      ({ key, invokedAt, acknowledgedAt }) => key === read.key && invokedAt > overAt && acknowledgedAt < read.invokedAt,
    );
    if (gone === undefined) return [];
    const message = `${read.key}=${read.value} was deleted by ${gone.process}, but ${read.process} read it later`;
    return [{ invariant: 'I11', key: read.key, message }];
  });
}

function isWrittenAgain(seen: Seen, deletion: WriteFact, writers: Writers): boolean {
  if (
    seen.version !== undefined &&
    deletion.version !== undefined &&
    compareVersions(seen.version, deletion.version) < 0
  )
    return false;
  return writers
    .of(deletion.key, seen.value)
    .some((write) => write.outcome !== 'noEffect' && mayFollow(write, deletion));
}

/** Versions say it if both are known; else real time, for a write that was over before the delete began is earlier. */
function mayFollow(write: WriteFact, deletion: WriteFact): boolean {
  if (write.version !== undefined && deletion.version !== undefined)
    return compareVersions(write.version, deletion.version) > 0;
  return write.acknowledgedAt > deletion.invokedAt;
}
