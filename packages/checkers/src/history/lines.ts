/** The lines of a log that are not blank, with their numbers from 1. Takes either line ending. */
export function* linesOf(text: string): Generator<{ readonly line: string; readonly number: number }> {
  let number = 0;
  for (const raw of text.split('\n')) {
    number++;
    const line = raw.trim();
    if (line !== '') yield { line, number };
  }
}
