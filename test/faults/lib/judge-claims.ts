import type { Claim, Journal } from './log-journals.ts';

/** What a run of the callers of getLastLog left behind. */
export interface ClaimedLog {
  readonly lines: readonly string[];
  /** The changes of the position in the cluster, in order: each gave one caller its records. */
  readonly ranges: readonly Claim[];
  readonly journals: readonly Journal[];
}

export interface ClaimJudgement {
  readonly violations: readonly string[];
  /** Calls that were answered. */
  readonly calls: number;
  /** Callers that were killed in a call. */
  readonly cutShort: number;
  /** Answers that died with their caller. */
  readonly lost: number;
}

/**
 * Whether each record was returned once. Each change of the position was either written down by the one caller that was
 * given its records, all of them, or was the last claim of a caller that was killed before it could write.
 */
export function judgeClaims({ lines, ranges, journals }: ClaimedLog): ClaimJudgement {
  const violations: string[] = [];
  const owner: (string | undefined)[] = lines.map(() => undefined);
  let calls = 0;
  for (const { name, lines: journal } of journals) {
    for (const line of journal) {
      if (line.kind === 'failed') violations.push(`${name}: a call failed: ${line.message}`);
      if (line.kind !== 'given') continue;
      calls++;
      if (line.text !== textOf(lines.slice(line.from, line.to)))
        violations.push(`${name} was given other records than ${line.from} to ${line.to} of the log`);
      for (let index = line.from; index < line.to; index++) {
        if (owner[index] !== undefined)
          violations.push(`record ${index} was returned to ${owner[index]} and to ${name}`);
        owner[index] = name;
      }
    }
  }
  const dying = journals.filter(({ cutShort }) => cutShort);
  const unheard = new Set(dying.filter(({ lastClaim }) => lastClaim !== null));
  let lost = 0;
  for (const { from, to } of ranges) {
    const owners = new Set(owner.slice(from, to));
    if (owners.size === 1 && !owners.has(undefined)) continue;
    if (owners.size > 1) {
      violations.push(
        `records ${from} to ${to} of one answer are with ${[...owners].map((name) => name ?? 'nobody').join(' and ')}`,
      );
      continue;
    }
    lost++;
    const caller = [...unheard].find(({ lastClaim }) => lastClaim?.from === from && lastClaim.to === to);
    if (caller === undefined)
      violations.push(`records ${from} to ${to} were returned to nobody, and no caller died claiming them`);
    else unheard.delete(caller);
  }
  const end = ranges.at(-1)?.to ?? 0;
  if (end !== lines.length) violations.push(`${end} records of ${lines.length} were returned`);
  return { violations, calls, cutShort: dying.length, lost };
}

function textOf(records: readonly string[]): string {
  return records.map((record) => `${record}\n`).join('');
}
