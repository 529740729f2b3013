import { coversWrite, showSeen, type Facts, type ReadFact, type Seen, type Violation } from './facts.ts';

/** Something that a session knows: what it wrote or saw. */
interface Known extends Seen {
  readonly process: string;
  readonly key: string;
  readonly what: 'wrote' | 'read';
  readonly knownAt: number;
}

/**
 * I13: a client session reads its own writes and never reads backwards, also across nodes and regions (Terry et al.
 * 1994: read your writes, monotonic reads); an answer that says `behind` is excused. A session is a process; what it
 * learnt before it asked for a read must be in that read, or something later.
 */
export function checkSessions({ writes, reads }: Facts): Violation[] {
  const known = new Map<string, Known[]>();
  const learn = (fact: Known): void => {
    const name = JSON.stringify([fact.process, fact.key]);
    const list = known.get(name);
    if (list === undefined) known.set(name, [fact]);
    else list.push(fact);
  };
  for (const write of writes) {
    if (Number.isFinite(write.acknowledgedAt)) learn({ ...write, what: 'wrote', knownAt: write.acknowledgedAt });
  }
  // An answer that was behind was delivered, but the session did not thereby forget what it knew.
  for (const read of reads) if (!read.behind) learn({ ...read, what: 'read', knownAt: read.returnedAt });

  return reads
    .filter((read) => !read.behind)
    .flatMap((read) =>
      (known.get(JSON.stringify([read.process, read.key])) ?? [])
        .filter((fact) => fact.knownAt < read.invokedAt && !coversWrite(read, fact, writes))
        .map((fact) => violationOf(fact, read)),
    );
}

function violationOf(fact: Known, read: ReadFact): Violation {
  const rule = fact.what === 'wrote' ? 'did not read its own write' : 'read backwards';
  return {
    invariant: 'I13',
    key: read.key,
    message: `${read.process} ${rule}: ${fact.what} ${showSeen(fact)}, then read ${showSeen(read)}${read.node === undefined ? '' : ` from ${read.node}`}`,
  };
}
