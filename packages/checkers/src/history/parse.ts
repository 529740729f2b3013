import { HistoryError, type History } from './events.ts';
import { decodeHistory } from './json-lines.ts';
import { linesOf } from './lines.ts';
import { parseJepsenLog } from './parse-jepsen.ts';
import { parsePorcupineLog } from './parse-porcupine.ts';

export type HistoryFormat = 'jepsen' | 'porcupine' | 'skerry';

/** Reads a history in any of the known formats, told apart by its first line. Throws {@link HistoryError}. */
export function parseHistory(text: string): History {
  switch (detectFormat(text)) {
    case 'jepsen':
      return parseJepsenLog(text);
    case 'porcupine':
      return parsePorcupineLog(text);
    case 'skerry':
      return decodeHistory(text);
  }
}

/** Throws {@link HistoryError} if the first line that is not blank fits no format, or there is none. */
export function detectFormat(text: string): HistoryFormat {
  for (const { line, number } of linesOf(text)) {
    if (/^(INFO|WARN|ERROR|DEBUG)\s/.test(line)) return 'jepsen';
    if (line.startsWith('{:')) return 'porcupine';
    if (line.startsWith('{')) return 'skerry';
    throw new HistoryError(
      number,
      'no known history format: want a Jepsen log, a porcupine key-value log or Skerry JSON lines',
    );
  }
  throw new HistoryError(1, 'the history is empty');
}
