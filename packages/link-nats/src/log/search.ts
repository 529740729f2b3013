/** What the search sees of one message of a log: its place in the stream and the entries it carries. */
export interface Peek {
  readonly sequence: number;
  readonly first: number;
  readonly last: number;
}

/** A log as a broker offers it: messages of one subject, at rising but not dense stream sequences. */
export interface PeekableLog {
  tail(): Promise<Peek | null>;
  /** The first message at or after that stream sequence. */
  at(sequence: number): Promise<Peek | null>;
}

/** How far back to begin where the order of the log is doubtful, in stream sequences. */
export const doubtSequences = 256;
/** Looks behind the tail when that is older than what is wanted: 1, 2, 4, … sequences back. */
const looksBehindTail = 8;

/**
 * The stream sequence to begin reading at, so that entry `position` and those after it come. In a log whose entries
 * rise, exactly the message that has it, or the first after it. Messages repeat and stand out of order where an old
 * and a new leader published the same, or one began again after a loss; then it may be early (repetitions are
 * harmless) and, if a late repetition lies between, it may miss entries, which the reader sees as a gap.
 */
export async function findStart(log: PeekableLog, position: number): Promise<number> {
  const tail = await log.tail();
  // Whatever comes is new.
  if (tail === null) return 1;
  if (tail.last === position - 1) return tail.sequence + 1;
  const bounds = await gallop(log, tail, position);
  if (bounds === 'none') return tail.sequence + 1;
  if (typeof bounds === 'number') return bounds;
  const found = await bisect(log, position, bounds);
  return found.first > position ? Math.max(1, found.sequence - doubtSequences) : found.sequence;
}

interface Bounds {
  /** Ends before the position. */
  readonly low: Peek;
  /** Reaches the position, and is the first message at or after `bound`. */
  readonly high: Peek;
  readonly bound: number;
}

/** Most readers come back near the tail: so from there in doubling steps, until a message ends before the position. */
async function gallop(log: PeekableLog, tail: Peek, position: number): Promise<Bounds | number | 'none'> {
  let high: { peek: Peek; bound: number } | null = tail.last >= position ? { peek: tail, bound: tail.sequence } : null;
  for (let step = 1, looks = 0; ; step *= 2, looks++) {
    // The tail is older than what is wanted, and so is what lies behind it.
    if (high === null && looks === looksBehindTail) return 'none';
    const sequence = Math.max(1, tail.sequence - step);
    const peek = await log.at(sequence);
    if (peek !== null && peek.last >= position) high = { peek, bound: sequence };
    else if (peek !== null && high !== null) return { low: peek, high: high.peek, bound: high.bound };
    if (sequence === 1) return high === null ? 'none' : high.peek.sequence;
  }
}

async function bisect(log: PeekableLog, position: number, { low, high, bound }: Bounds): Promise<Peek> {
  let [below, above, aboveFrom] = [low.sequence, high, bound];
  while (aboveFrom - below > 1) {
    const middle = below + Math.floor((aboveFrom - below) / 2);
    const peek = await log.at(middle);
    // Trimmed while it was searched: what is there now begins later.
    if (peek === null) break;
    if (peek.last >= position) {
      above = peek;
      aboveFrom = middle;
    } else {
      below = Math.max(middle, peek.sequence);
    }
  }
  return above;
}
