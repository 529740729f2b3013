import type { KeyValueInput, KeyValueOutput } from '../models/key-value.ts';
import type { History, HistoryEvent } from './events.ts';
import { HistoryError } from './events.ts';
import { linesOf } from './lines.ts';

/** One event a line, flat: `{"process":"c1","call":3,"kind":"invoke","timeMs":12,"op":"set","key":"a","value":"1"}`. */
export function encodeHistory(history: History): string {
  return history.events.map((event) => `${JSON.stringify(flatten(event))}\n`).join('');
}

/** The inverse of {@link encodeHistory}. Throws {@link HistoryError}. */
export function decodeHistory(text: string): History {
  const events: HistoryEvent[] = [];
  const calls = new Map<number, CallProgress>();
  for (const { line, number } of linesOf(text)) {
    const event = decodeEvent(line, number);
    calls.set(event.call, follow(calls.get(event.call), event, number));
    events.push(event);
  }
  return { initial: null, events };
}

interface CallProgress {
  readonly process: string;
  readonly state: 'invoked' | 'accepted' | 'completed';
}

/** The progress of a call after `event`, which must be its next. */
function follow(before: CallProgress | undefined, event: HistoryEvent, lineNumber: number): CallProgress {
  const { call, kind, process } = event;
  if (kind === 'invoke') {
    if (before !== undefined) throw new HistoryError(lineNumber, `call ${call} is invoked twice`);
    return { process, state: 'invoked' };
  }
  if (before === undefined) throw new HistoryError(lineNumber, `call ${call} ends (${kind}) but was never invoked`);
  if (before.process !== process)
    throw new HistoryError(lineNumber, `call ${call} is of process ${before.process}, not ${process}`);
  if (before.state === 'completed') throw new HistoryError(lineNumber, `call ${call} ends twice`);
  if (kind === 'accepted' && before.state === 'accepted')
    throw new HistoryError(lineNumber, `call ${call} is accepted twice`);
  return { process, state: kind === 'accepted' ? 'accepted' : 'completed' };
}

function flatten(event: HistoryEvent): object {
  const { process, call, kind, timeMs } = event;
  const base = { process, call, kind, timeMs };
  switch (event.kind) {
    case 'invoke':
      return { ...base, ...event.input, consistent: event.consistent, node: event.node, region: event.region };
    case 'ok':
      return { ...base, ...event.output };
    case 'accepted':
      return { ...base, version: event.version };
    case 'fail':
    case 'info':
      return base;
  }
}

function decodeEvent(line: string, lineNumber: number): HistoryEvent {
  const fields = new Fields(line, lineNumber);
  const base = { process: fields.text('process'), call: fields.count('call'), timeMs: fields.number('timeMs') };
  const kind = fields.text('kind');
  switch (kind) {
    case 'invoke':
      return {
        kind,
        ...base,
        input: decodeInput(fields),
        ...fields.optionalFlag('consistent'),
        ...fields.optionalText('node'),
        ...fields.optionalText('region'),
      };
    case 'accepted':
      return { kind, ...base, ...fields.optionalText('version') };
    case 'ok':
      return { kind, ...base, output: decodeOutput(fields) };
    case 'fail':
    case 'info':
      return { kind, ...base };
    default:
      return fields.fail('kind', 'invoke, accepted, ok, fail or info');
  }
}

function decodeInput(fields: Fields): KeyValueInput {
  const op = fields.text('op');
  const key = fields.text('key');
  switch (op) {
    case 'get':
    case 'delete':
      return { op, key };
    case 'set':
    case 'append':
      return { op, key, value: fields.text('value') };
    case 'swap':
      return { op, key, oldValue: fields.textOrNull('oldValue'), newValue: fields.textOrNull('newValue') };
    default:
      return fields.fail('op', 'get, set, swap, delete or append');
  }
}

function decodeOutput(fields: Fields): KeyValueOutput {
  const outcome = fields.text('outcome');
  const version = fields.optionalText('version');
  switch (outcome) {
    case 'read':
      return { outcome, value: fields.textOrNull('value'), ...version, ...fields.optionalFlag('behind') };
    case 'applied':
      return { outcome, ...version };
    case 'refused':
      return { outcome, ...(fields.has('current') ? { current: fields.textOrNull('current') } : {}), ...version };
    default:
      return fields.fail('outcome', 'read, applied or refused');
  }
}

/** The fields of one line, each with an error that says what was wanted. */
class Fields {
  readonly #record: Record<string, unknown>;
  readonly #lineNumber: number;

  constructor(line: string, lineNumber: number) {
    this.#lineNumber = lineNumber;
    let parsed: unknown;
    try {
      parsed = JSON.parse(line);
    } catch {
      throw new HistoryError(lineNumber, 'not JSON');
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw new HistoryError(lineNumber, 'not a JSON object');
    }
    this.#record = parsed as Record<string, unknown>;
  }

  has(name: string): boolean {
    return this.#record[name] !== undefined;
  }

  text(name: string): string {
    const value = this.#record[name];
    return typeof value === 'string' ? value : this.fail(name, 'a string');
  }

  textOrNull(name: string): string | null {
    const value = this.#record[name];
    return value === null || typeof value === 'string' ? value : this.fail(name, 'a string or null');
  }

  number(name: string): number {
    const value = this.#record[name];
    return typeof value === 'number' && Number.isFinite(value) ? value : this.fail(name, 'a number');
  }

  count(name: string): number {
    const value = this.number(name);
    return Number.isSafeInteger(value) && value >= 0 ? value : this.fail(name, 'an integer from 0');
  }

  /** An object with the field, or an empty one. */
  optionalText<Name extends string>(name: Name): { [K in Name]?: string } {
    return this.has(name) ? ({ [name]: this.text(name) } as { [K in Name]: string }) : {};
  }

  optionalFlag<Name extends string>(name: Name): { [K in Name]?: boolean } {
    if (!this.has(name)) return {};
    const value = this.#record[name];
    return typeof value === 'boolean'
      ? ({ [name]: value } as { [K in Name]: boolean })
      : this.fail(name, 'true or false');
  }

  fail(name: string, wanted: string): never {
    const found = this.#record[name];
    throw new HistoryError(
      this.#lineNumber,
      `"${name}" must be ${wanted}, found ${found === undefined ? 'nothing' : JSON.stringify(found)}`,
    );
  }
}
