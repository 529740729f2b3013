import type { ConflictRecord } from '../database.ts';
import { textOrWhyNot, type Shown } from '../shown.ts';

/** A record in plain words; a line each of what lost, to what, and why. */
export interface Story {
  readonly lost: string;
  readonly to: string;
  readonly why: string;
}

export async function storyOf(record: ConflictRecord): Promise<Story> {
  const { loserRegion, loserStamp, loserVersion, winnerRegion, winnerStamp, winnerVersion } = record;
  return {
    lost: `${await loserText(record)}, ${written(loserStamp?.wallMs, loserRegion)} (version ${loserVersion})`,
    // Of a deleted document the ledger has the change's own stamp: when and where it was deleted is not told.
    to:
      record.reason === 'documentDeleted'
        ? 'the delete of the document'
        : `${await winnerText(record)}, ${written(winnerStamp?.wallMs, winnerRegion)} (version ${winnerVersion})`,
    why: whyText(record),
  };
}

/** A change of a document can say nothing by itself, for it builds on others; null: something else lost, which can. */
export function changeText({ loser, reason }: ConflictRecord): string | null {
  if (loser?.type !== 'document' || reason === 'otherType') return null;
  return `a change of a document (${loser.operations} operations)`;
}

async function loserText(record: ConflictRecord): Promise<string> {
  const { loser } = record;
  if (loser === null) return 'a delete';
  return changeText(record) ?? `the ${typeNames[loser.type]} ${quoted(loser, await textOrWhyNot(loser))}`;
}

/** The winner is not kept where it is a document, a delete or nothing. */
async function winnerText({ reason, winner, winnerRegion }: ConflictRecord): Promise<string> {
  if (winner !== null) return `the ${typeNames[winner.type]} ${quoted(winner, await textOrWhyNot(winner))}`;
  if (reason === 'otherType' || winnerRegion === null) return 'what the key held then';
  return 'a delete';
}

function quoted({ type }: Shown, text: string): string {
  return type === 'register' ? JSON.stringify(text) : text;
}

const typeNames: Readonly<Record<Shown['type'], string>> = {
  register: 'value',
  multiRegister: 'concurrent value',
  counter: 'counter',
  set: 'set',
  flag: 'flag',
  document: 'document',
};

function written(wallMs: number | undefined, region: string | null): string {
  const when =
    wallMs === undefined ? 'written at a time that is not known' : `written ${new Date(wallMs).toISOString()}`;
  return `${when} in ${region ?? 'a region that is not known'}`;
}

function whyText(record: ConflictRecord): string {
  switch (record.reason) {
    case 'superseded':
      return `when it came to be merged, a write stood there that had not seen it; ${laterWins(record)}`;
    case 'overwrote':
      return `it stood there when a write was merged that had not seen it; ${laterWins(record)}`;
    case 'otherType':
      return 'the key was written as two types at once; the type that was written later is visible';
    case 'siblingLimit':
      return 'the register was full of concurrent values; the oldest had to go';
    case 'documentDeleted':
      return 'the document was deleted while this change was on its way';
    case 'rejected':
      return 'it was accepted without a majority, and could not take effect when there was one again';
  }
}

function laterWins({ loserStamp, winnerStamp }: ConflictRecord): string {
  if (loserStamp === null || winnerStamp === null) return 'of two such writes the later stamp wins';
  const laterMs = winnerStamp.wallMs - loserStamp.wallMs;
  if (laterMs === 0)
    return 'both are of one millisecond, and of two such writes the later stamp wins, by its counter and then its replica';
  return `of two such writes the later stamp wins, here by ${laterMs} ms`;
}
