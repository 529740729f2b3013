import type { History, HistoryEvent, KeyValueInput, KeyValueOutput } from '@skerry/checkers';
import type { ReceiptState } from '@skerry/replica';

/** One call as the client knows it; positions count all events of the run. */
export interface Entry {
  readonly call: number;
  readonly process: string;
  readonly input: KeyValueInput;
  readonly consistent: boolean;
  readonly invokedAt: number;
  readonly timeMs: number;
  /** Nodes whose local views a read merged; 1 otherwise. */
  readonly copies: number;
  /** Who answered, as `node#incarnation.life`. */
  label: string | null;
  accepted: { readonly at: number; readonly version: string | null } | null;
  end: { readonly kind: 'ok' | 'fail'; readonly at: number; readonly output: KeyValueOutput | null } | null;
  /** Of a quorum-less write: what its receipt said in the end. */
  receipt: { readonly state: ReceiptState; readonly version: string | null } | null;
  /** The only disk that is known to have held it was wiped before it was promoted: it may be lost. */
  forsaken: boolean;
}

/** All that the clients of a run did and saw. */
export class Journal {
  readonly entries: Entry[] = [];
  readonly #nowMs: () => number;
  #position = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  invoke(process: string, input: KeyValueInput, { consistent, copies = 1 }: { consistent: boolean; copies?: number }): Entry {
    const entry: Entry = {
      call: this.entries.length, process, input, consistent, copies, invokedAt: this.#position++, timeMs: this.#nowMs(), label: null,
      accepted: null, end: null, receipt: null, forsaken: false,
    };
    this.entries.push(entry);
    return entry;
  }

  accepted(entry: Entry, version: string | null): void {
    entry.accepted = { at: this.#position++, version };
  }

  ok(entry: Entry, output: KeyValueOutput): void {
    entry.end = { kind: 'ok', at: this.#position++, output };
  }

  fail(entry: Entry): void {
    entry.end = { kind: 'fail', at: this.#position++, output: null };
  }

  /** `process` and `node` name whom the checkers shall hold to a promise; entries without a process are left out. */
  history(process: (entry: Entry) => string | null, node: (entry: Entry) => string | undefined): History {
    const events: { at: number; event: HistoryEvent }[] = [];
    for (const entry of this.entries) {
      const name = process(entry);
      if (name === null) continue;
      const base = { process: name, call: entry.call, timeMs: entry.timeMs };
      events.push({ at: entry.invokedAt, event: { ...base, kind: 'invoke', input: entry.input, consistent: entry.consistent, node: node(entry) } });
      if (entry.accepted !== null && !entry.forsaken) {
        events.push({ at: entry.accepted.at, event: { ...base, kind: 'accepted', version: acceptedVersion(entry) } });
      }
      if (entry.end?.kind === 'ok' && entry.end.output !== null) events.push({ at: entry.end.at, event: { ...base, kind: 'ok', output: entry.end.output } });
      if (entry.end?.kind === 'fail') events.push({ at: entry.end.at, event: { ...base, kind: 'fail' } });
    }
    events.sort((a, b) => a.at - b.at);
    return { initial: null, events: events.map(({ event }) => event) };
  }
}

/**
 * The version that the write has in the end. The stamp that a superseded write was accepted with says nothing about order
 * if a clock was wrong: it would have been clamped.
 */
function acceptedVersion(entry: Entry): string | undefined {
  return (entry.receipt?.state === 'promoted' ? entry.receipt.version : null) ?? undefined;
}
