import type { KeyValueInput } from '../models/key-value.ts';
import { HistoryError, type History } from './events.ts';
import { linesOf } from './lines.ts';
import { ProcessLog } from './process-log.ts';

const linePattern =
  /^\{:process (\d+), :type :(invoke|ok|fail|info), :f :(get|put|append), :key ("(?:[^"\\]|\\.)*"), :value (nil|"(?:[^"\\]|\\.)*")\}$/;

/**
 * The key-value logs of the porcupine project: `{:process 0, :type :invoke, :f :get, :key "4", :value nil}`, with put
 * and append on strings; a key holds the empty string at first. Throws {@link HistoryError}.
 */
export function parsePorcupineLog(text: string): History {
  const log = new ProcessLog();
  for (const { line, number } of linesOf(text)) parseLine(log, line, number);
  return { initial: '', events: log.events };
}

function parseLine(log: ProcessLog, line: string, lineNumber: number): void {
  const match = linePattern.exec(line);
  if (match === null) {
    throw new HistoryError(
      lineNumber,
      'not a porcupine line: want {:process N, :type :invoke|:ok|:fail|:info, :f :get|:put|:append, :key "K", :value nil|"V"}',
    );
  }
  const [process, kind, f, quotedKey, quotedValue] = match.slice(1) as [
    string,
    'invoke' | 'ok' | 'fail' | 'info',
    string,
    string,
    string,
  ];
  const key = unquote(quotedKey, lineNumber);
  const value = quotedValue === 'nil' ? null : unquote(quotedValue, lineNumber);
  if (kind === 'invoke') {
    log.invoke(process, inputOf({ f, key, value }, lineNumber), lineNumber);
    return;
  }
  const isSameCall = (input: KeyValueInput): boolean => input.op === opOf(f) && input.key === key;
  if (kind !== 'ok') {
    log.complete(process, lineNumber, { kind, matches: isSameCall });
  } else if (f === 'get') {
    if (value === null) throw new HistoryError(lineNumber, 'a get that is :ok needs a value');
    log.complete(process, lineNumber, { kind: { ok: { outcome: 'read', value } }, matches: isSameCall });
  } else {
    log.complete(process, lineNumber, {
      kind: { ok: { outcome: 'applied' } },
      matches: (input) => isSameCall(input) && 'value' in input && input.value === value,
    });
  }
}

function inputOf(said: { f: string; key: string; value: string | null }, lineNumber: number): KeyValueInput {
  const { key, value } = said;
  const op = opOf(said.f);
  if (op === 'get') {
    if (value !== null) throw new HistoryError(lineNumber, 'a get is invoked with nil');
    return { op, key };
  }
  if (value === null) throw new HistoryError(lineNumber, `${said.f} needs a value`);
  return { op, key, value };
}

function opOf(f: string): 'get' | 'set' | 'append' {
  if (f === 'put') return 'set';
  return f === 'get' ? 'get' : 'append';
}

function unquote(quoted: string, lineNumber: number): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw new HistoryError(lineNumber, `bad escape in ${quoted}`);
  }
}
