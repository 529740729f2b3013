import type { History, HistoryEvent, KeyValueInput, KeyValueOutput, PlainAction } from '@skerry/checkers';
import type { ReceiptState } from '@skerry/replica';

/** What is waited for by a receipt. */
export interface Receipted {
  /** Of a quorum-less write: what its receipt said in the end. */
  receipt: { readonly state: ReceiptState; readonly version: string | null } | null;
  /** The only disk that is known to have held it was wiped before it was promoted: it may be lost. */
  forsaken: boolean;
}

/** One write of a value of another type than the register. */
export interface Update extends Receipted {
  readonly key: string;
  readonly action: PlainAction;
  /** Index of the region. */
  readonly region: number;
  readonly session: string;
  readonly consistent: boolean;
  readonly invokedAt: number;
  /** null: it was not acknowledged, as far as its client knows. */
  acknowledgedAt: number | null;
  outcome: 'applied' | 'noEffect' | 'undecided';
  label: string | null;
}

/** One call as the client knows it; positions count all events of the run. */
export interface Entry extends Receipted {
  readonly call: number;
  readonly process: string;
  /** Index of the region that it was sent to. */
  readonly region: number;
  /** One of the reads that one call came to: a page of a list, a transaction. Such calls do not ask for what the session saw. */
  readonly listed: boolean;
  readonly input: KeyValueInput;
  readonly consistent: boolean;
  readonly invokedAt: number;
  readonly timeMs: number;
  /** Nodes whose local views a read merged; 1 otherwise. */
  readonly copies: number;
  /** Who answered, as `node#incarnation.life`. */
  label: string | null;
  /** It may have taken effect by way of another node than the one that answered. */
  retried: boolean;
  accepted: { readonly at: number; readonly version: string | null } | null;
  end: { readonly kind: 'ok' | 'fail'; readonly at: number; readonly output: KeyValueOutput | null } | null;
}

/** A write of another region, as it takes effect in this one between two of the events. */
export interface Arrival {
  readonly key: string;
  readonly value: string | null;
  /** undefined: it says nothing of what comes before and after. */
  readonly version: string | undefined;
  readonly afterAt: number;
  readonly beforeAt: number;
}

/** All that the clients of a run did and saw. */
export class Journal {
  readonly entries: Entry[] = [];
  readonly updates: Update[] = [];
  readonly #nowMs: () => number;
  #position = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The position of the next event. */
  get position(): number {
    return this.#position;
  }

  /** Calls of all kinds. */
  get callCount(): number {
    return this.entries.length + this.updates.length;
  }

  update(what: Pick<Update, 'key' | 'action' | 'region' | 'session' | 'consistent'>): Update {
    const update: Update = {
      ...what,
      invokedAt: this.#position++,
      acknowledgedAt: null,
      outcome: 'undecided',
      label: null,
      receipt: null,
      forsaken: false,
    };
    this.updates.push(update);
    return update;
  }

  acknowledge(update: Update): void {
    update.acknowledgedAt = this.#position++;
    update.outcome = 'applied';
  }

  invoke(
    process: string,
    input: KeyValueInput,
    {
      consistent,
      region,
      copies = 1,
      listed = false,
    }: { consistent: boolean; region: number; copies?: number; listed?: boolean },
  ): Entry {
    const entry: Entry = {
      call: this.entries.length,
      process,
      region,
      listed,
      input,
      consistent,
      copies,
      retried: false,
      invokedAt: this.#position++,
      timeMs: this.#nowMs(),
      label: null,
      accepted: null,
      end: null,
      receipt: null,
      forsaken: false,
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
  history(
    process: (entry: Entry) => string | null,
    node: (entry: Entry) => string | undefined,
    { arrivals = [], region }: { arrivals?: readonly Arrival[]; region?: (entry: Entry) => string } = {},
  ): History {
    const events: { at: number; event: HistoryEvent }[] = [];
    for (const entry of this.entries) {
      const name = process(entry);
      if (name === null) continue;
      const base = { process: name, call: entry.call, timeMs: entry.timeMs };
      events.push({
        at: entry.invokedAt,
        event: {
          ...base,
          kind: 'invoke',
          input: entry.input,
          consistent: entry.consistent,
          node: node(entry),
          ...(region === undefined ? {} : { region: region(entry) }),
        },
      });
      if (entry.accepted !== null && !entry.forsaken) {
        events.push({ at: entry.accepted.at, event: { ...base, kind: 'accepted', version: acceptedVersion(entry) } });
      }
      if (entry.end?.kind === 'ok' && entry.end.output !== null)
        events.push({ at: entry.end.at, event: { ...base, kind: 'ok', output: entry.end.output } });
      if (entry.end?.kind === 'fail') events.push({ at: entry.end.at, event: { ...base, kind: 'fail' } });
    }
    for (const [i, { key, value, version, afterAt, beforeAt }] of arrivals.entries()) {
      const base = { process: 'another region', call: this.entries.length + i, timeMs: 0 };
      // Between the events of the clients; at the same place it may be before or after others of its kind.
      events.push({
        at: afterAt - 0.6,
        event: {
          ...base,
          kind: 'invoke',
          input: value === null ? { op: 'delete', key } : { op: 'set', key, value },
          consistent: true,
        },
      });
      events.push({ at: beforeAt - 0.4, event: { ...base, kind: 'ok', output: { outcome: 'applied', version } } });
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
