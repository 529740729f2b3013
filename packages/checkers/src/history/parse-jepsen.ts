import type { KeyValueInput } from '../models/key-value.ts';
import { HistoryError, type History } from './events.ts';
import { linesOf } from './lines.ts';
import { ProcessLog } from './process-log.ts';

const linePattern = /^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.+)$/;
const casPattern = /^\[(\d+) (\d+)\]$/;

/** The one register of these logs, as a key. */
export const registerKey = 'register';

/**
 * The log of Jepsen's etcd test (a register with compare-and-swap), as it travels with ahorn/linearizability-checker
 * and porcupine. `:fail` of a compare-and-swap means that the old value did not match, so it says something about the
 * register; `:fail` of anything else means no effect. Throws {@link HistoryError}.
 */
export function parseJepsenLog(text: string): History {
  const log = new ProcessLog();
  for (const { line, number } of linesOf(text)) parseLine(log, line, number);
  if (log.events.length === 0) throw new HistoryError(1, 'the history is empty');
  return { initial: null, events: log.events };
}

/** A line of the log that tells no call of a client: what the nemesis did, or another part of Jepsen said. */
const otherPattern = /^(?:(?:WARN|ERROR|DEBUG)\s|INFO\s+(?=\S)(?!jepsen\.util\s+-\s+\d))/;

function parseLine(log: ProcessLog, line: string, lineNumber: number): void {
  const match = linePattern.exec(line);
  if (match === null && otherPattern.test(line)) return;
  if (match === null) {
    throw new HistoryError(
      lineNumber,
      'not a Jepsen line: want "INFO  jepsen.util - PROCESS :invoke|:ok|:fail|:info :read|:write|:cas VALUE"',
    );
  }
  const [process, kind, op, value] = match.slice(1) as [
    string,
    'invoke' | 'ok' | 'fail' | 'info',
    'read' | 'write' | 'cas',
    string,
  ];
  if (kind === 'invoke') {
    log.invoke(process, parseInput(op, value, lineNumber), lineNumber);
    return;
  }
  const timedOut = value === ':timed-out';
  if (kind === 'info' || timedOut) {
    if (kind === 'ok') throw new HistoryError(lineNumber, 'an :ok that timed out');
    log.complete(process, lineNumber, { kind, matches: (input) => wordOf(input) === op });
    return;
  }
  if (op === 'read') {
    if (kind === 'fail') log.complete(process, lineNumber, { kind, matches: (input) => input.op === 'get' });
    else {
      const output = { outcome: 'read', value: parseValue(value, lineNumber) } as const;
      log.complete(process, lineNumber, { kind: { ok: output }, matches: (input) => input.op === 'get' });
    }
    return;
  }
  const said = parseInput(op, value, lineNumber);
  const refused = op === 'cas' && kind === 'fail';
  log.complete(process, lineNumber, {
    kind: kind === 'ok' ? { ok: { outcome: 'applied' } } : refused ? { ok: { outcome: 'refused' } } : 'fail',
    matches: (input) => JSON.stringify(input) === JSON.stringify(said),
  });
}

function parseInput(op: 'read' | 'write' | 'cas', value: string, lineNumber: number): KeyValueInput {
  const key = registerKey;
  switch (op) {
    case 'read':
      if (value !== 'nil') throw new HistoryError(lineNumber, `a read is invoked with nil, found ${value}`);
      return { op: 'get', key };
    case 'write': {
      const written = parseValue(value, lineNumber);
      return written === null ? { op: 'delete', key } : { op: 'set', key, value: written };
    }
    case 'cas': {
      const match = casPattern.exec(value);
      if (match === null) throw new HistoryError(lineNumber, `a cas wants [old new], found ${value}`);
      return { op: 'swap', key, oldValue: match[1] as string, newValue: match[2] as string };
    }
  }
}

function wordOf(input: KeyValueInput): 'read' | 'write' | 'cas' {
  if (input.op === 'get') return 'read';
  return input.op === 'swap' ? 'cas' : 'write';
}

function parseValue(text: string, lineNumber: number): string | null {
  if (text === 'nil') return null;
  if (!/^\d+$/.test(text)) throw new HistoryError(lineNumber, `a value is nil or a number, found ${text}`);
  return text;
}
