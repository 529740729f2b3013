import type { KeyValueInput, KeyValueOutput } from '../models/key-value.ts';
import { HistoryError, type HistoryEvent } from './events.ts';

/** Builds events from logs that pair an invocation with its completion by process: each process has one call open. */
export class ProcessLog {
  readonly events: HistoryEvent[] = [];
  readonly #open = new Map<string, { readonly call: number; readonly input: KeyValueInput }>();
  #callNext = 0;

  invoke(process: string, input: KeyValueInput, lineNumber: number): void {
    if (this.#open.has(process)) {
      throw new HistoryError(lineNumber, `process ${process} invokes ${input.op} while its last call is open`);
    }
    const call = this.#callNext++;
    this.#open.set(process, { call, input });
    // These logs have no clock: the line stands in for it.
    this.events.push({ kind: 'invoke', process, call, timeMs: lineNumber, input });
  }

  /** Ends the open call of `process`. `matches` says whether the line repeats what was invoked. */
  complete(
    process: string,
    lineNumber: number,
    end: {
      readonly kind: 'fail' | 'info' | { readonly ok: KeyValueOutput };
      readonly matches: (input: KeyValueInput) => boolean;
    },
  ): void {
    const open = this.#open.get(process);
    if (open === undefined) throw new HistoryError(lineNumber, `process ${process} ends a call that it never invoked`);
    if (!end.matches(open.input)) {
      throw new HistoryError(lineNumber, `process ${process} ends another call than it invoked (${open.input.op})`);
    }
    this.#open.delete(process);
    const base = { process, call: open.call, timeMs: lineNumber };
    this.events.push(
      typeof end.kind === 'string' ? { kind: end.kind, ...base } : { kind: 'ok', output: end.kind.ok, ...base },
    );
  }
}
