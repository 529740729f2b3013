import { setMaxListeners } from 'node:events';
import {
  HistoryRecorder,
  type Addition,
  type KeyValueInput,
  type OpenCall,
  type Version,
  type VersionRecord,
} from '@skerry/checkers';
import type { Client, Response } from '@skerry/client';
import type { CallerRound } from './callers.ts';
import { FinalVersions } from './final-versions.ts';

/** A write whose outcome was not known when its deadline came. */
export interface Open {
  readonly client: Client;
  readonly ticket: string;
  readonly settle: (response: Response<unknown>) => void;
}

/** One write of a register, in terms of the checkers. */
export interface WriteOf {
  readonly client: Client;
  readonly caller: string;
  readonly input: KeyValueInput;
}

/** A quorum-less write that waits for its end. */
interface Accepted {
  readonly client: Client;
  readonly receipt: string;
  readonly write: { readonly key: string; readonly value: string; readonly accepted: Version };
  /** In the history of consistent calls. */
  readonly call: OpenCall | null;
}

const unsettled = Promise.resolve(false);

type Failure = Error & { readonly code?: string; readonly definite?: boolean; readonly ticket?: string | null };

/** What all callers of a round write into. */
export class CallerJournal {
  readonly prefix: string;
  readonly startMs: number = performance.now();
  readonly problems: string[] = [];
  readonly undecided: Open[] = [];
  /** By caller: when its last acknowledged write was sent. */
  readonly lastSentMs = new Map<string, number>();
  ending = false;
  calls = 0;
  readonly #refusals: ReadonlySet<string>;
  readonly #history = new HistoryRecorder({ nowMs: () => performance.now() });
  readonly #local = new HistoryRecorder({ nowMs: () => performance.now() });
  readonly #additions: { key: string; amount: number; outcome: Addition['outcome'] }[] = [];
  readonly #counts = new Map<string, number>();
  readonly #receipts: { readonly accepted: Accepted; readonly settled: Promise<boolean> }[] = [];
  readonly #givenUp = new AbortController();
  readonly #finals = new FinalVersions();
  /** By caller: the call that is not answered yet. */
  readonly #open = new Map<string, string>();

  constructor(prefix: string, refusals: ReadonlySet<string>) {
    this.prefix = prefix;
    this.#refusals = refusals;
    setMaxListeners(0, this.#givenUp.signal);
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  describeOpen(): string {
    return [...this.#open].map(([caller, what]) => `${caller} ${what}`).join('; ');
  }

  /** A consistent read; null: it was not answered in time. */
  async read(client: Client, caller: string, key: string, send: () => Promise<Response>): Promise<Response | null> {
    const call = this.#history.invoke(caller, { op: 'get', key }, nodeOf(client));
    return this.#answered(caller, `get ${key}`, async () => {
      const response = await send();
      if (!response.valid) return this.#timedOut(() => call.fail());
      const { value, version, behind } = response;
      // Linearizable all the same: I3 does not excuse it.
      if (behind === true) this.count('behind');
      call.ok({ outcome: 'read', value, version: version ?? undefined, behind: behind ?? false });
      return response;
    });
  }

  /** A consistent write; null: its outcome is not known, or it was refused by an error. */
  async write({ client, caller, input }: WriteOf, send: () => Promise<Response>): Promise<Response | null> {
    const sentMs = performance.now();
    const call = this.#history.invoke(caller, input, nodeOf(client));
    const settle = (response: Response<unknown>): void => settleWrite(call, response);
    return this.#answered(caller, `${input.op} ${input.key}`, async () => {
      try {
        const response = await send();
        this.#note(response);
        if (response.outcome === 'applied') this.lastSentMs.set(caller, sentMs);
        if (response.outcome === 'undecided') this.#undecided({ client, ticket: response.ticket ?? null, settle });
        else settle(response);
        return response;
      } catch (error) {
        const { definite, ticket = null } = error as Failure;
        if (definite === true) call.fail();
        else this.#undecided({ client, ticket, settle });
        throw error;
      }
    });
  }

  /** A quorum-less write at `node`, that its receipt tells the end of if `mixed`: it is then in the history of consistent calls too. */
  async writeLocal(
    { client, caller, input }: WriteOf,
    { node, isMixed }: { readonly node: string | undefined; readonly isMixed: boolean },
    send: () => Promise<Response>,
  ): Promise<void> {
    const sentMs = performance.now();
    const options = { consistent: false, ...(node === undefined ? {} : { node }) } as const;
    const call = (isMixed ? this.#history : this.#local).invoke(caller, input, options);
    await this.#answered(caller, `quorum-less ${input.op} ${input.key}`, async () => {
      const response = await send();
      this.#note(response);
      if (response.receipt === undefined) return;
      this.lastSentMs.set(caller, sentMs);
      call.accepted(response.version ?? undefined);
      const accepted = response.version ?? '';
      const value = input.op === 'set' ? input.value : '';
      const write = { key: input.key, value, accepted };
      const given = { client, receipt: response.receipt, write, call: isMixed ? call : null };
      // In the history of consistent calls a write is open until its end is known: the sooner, the less passes.
      const settled = isMixed ? this.#settleReceipt(given, this.#givenUp.signal).catch(() => false) : unsettled;
      this.#receipts.push({ accepted: given, settled });
    });
  }

  /** A read of what `node` has. */
  async readLocal(
    { client, caller, key }: { readonly client: Client; readonly caller: string; readonly key: string },
    node: string,
  ): Promise<void> {
    const call = this.#local.invoke(caller, { op: 'get', key }, { consistent: false, node });
    await this.#answered(caller, `local get ${key}`, async () => {
      const { valid, value, version, behind } = await client.get(key, { consistent: false });
      if (!valid) return this.#timedOut(() => call.fail());
      if (behind === true) this.count('behind');
      call.ok({ outcome: 'read', value, version: version ?? undefined, behind: behind ?? false });
      return null;
    });
  }

  async add(client: Client, caller: string, key: string, send: () => Promise<Response<bigint>>): Promise<void> {
    const sentMs = performance.now();
    const addition: { key: string; amount: number; outcome: Addition['outcome'] } = {
      key,
      amount: 1,
      outcome: 'undecided',
    };
    this.#additions.push(addition);
    const settle = ({ outcome }: Response<unknown>): void => {
      if (outcome === 'applied') addition.outcome = 'applied';
      if (outcome === 'notApplied') addition.outcome = 'noEffect';
    };
    await this.#answered(caller, `add ${key}`, async () => {
      try {
        const response = await send();
        this.#note(response);
        // A quorum-less one that was accepted counts for good: it merges.
        if (response.receipt !== undefined) addition.outcome = 'applied';
        else if (response.outcome === 'undecided') this.#undecided({ client, ticket: response.ticket ?? null, settle });
        else settle(response);
        if (addition.outcome === 'applied') this.lastSentMs.set(caller, sentMs);
      } catch (error) {
        const { definite, ticket = null } = error as Failure;
        if (definite === true) addition.outcome = 'noEffect';
        else this.#undecided({ client, ticket, settle });
        throw error;
      }
    });
  }

  /** Asks each quorum-less write for its end; those of keys that are also written with a quorum end with it in the history. */
  async awaitReceipts(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#givenUp.abort());
    await Promise.all(
      this.#receipts.map(async ({ accepted, settled }) => (await settled) || this.#settleReceipt(accepted, signal)),
    );
    if (this.#finals.count > 0) this.#counts.set('a stamp was clamped', this.#finals.count);
  }

  async #settleReceipt({ client, receipt, write, call }: Accepted, signal: AbortSignal): Promise<boolean> {
    const end = await client.receipt(receipt).wait({ signal });
    this.count(`receipt ${end.state}`);
    if (end.state === 'rejected' || end.state === 'unknown')
      this.problems.push(`the receipt of ${write.value} at ${write.key} says ${end.state}: ${end.reason}`);
    this.#finals.note(write, end);
    if (end.state === 'promoted') call?.ok({ outcome: 'applied', version: end.version ?? undefined });
    else if (end.state === 'superseded') call?.fail();
    return true;
  }

  round(seconds: number, versions: readonly VersionRecord[]): CallerRound {
    return {
      prefix: this.prefix,
      history: this.#finals.in(this.#history.history()),
      local: this.#finals.in(this.#local.history()),
      versions,
      additions: this.#additions,
      problems: this.problems,
      calls: this.calls,
      seconds,
      counts: this.#counts,
    };
  }

  /** Runs a call and counts it if it was answered; an error that this round does not expect is a problem. */
  async #answered<T>(caller: string, what: string, run: () => Promise<T | null>): Promise<T | null> {
    const sentMs = performance.now();
    this.#open.set(caller, `${what}, since ${Math.round(sentMs - this.startMs)} ms`);
    try {
      const value = await run();
      this.calls++;
      return value;
    } catch (error) {
      const { code = 'none' } = error as Failure;
      // The round was given up.
      if (code === 'CLOSED') {
        this.ending = true;
        return null;
      }
      this.count(code);
      const isExpected = this.#refusals.has(code) || code === 'TIMEOUT';
      if (!isExpected) this.problems.push(`${caller}, ${what}: ${String(error)}`);
      // Whoever was refused at once comes back a little later.
      await new Promise((resolve) => setTimeout(resolve, 5));
      return null;
    } finally {
      this.#open.delete(caller);
    }
  }

  #note({ outcome, timeout }: Response<unknown>): void {
    if (timeout) this.count('timed out');
    if (outcome !== undefined && outcome !== 'applied') this.count(outcome);
  }

  #timedOut(record: () => void): null {
    this.count('timed out');
    record();
    // It says only that nobody knows; it is no call that was held.
    this.calls--;
    return null;
  }

  #undecided({ client, ticket, settle }: Omit<Open, 'ticket'> & { readonly ticket: string | null }): void {
    if (ticket !== null) this.undecided.push({ client, ticket, settle });
  }
}

function settleWrite(call: OpenCall, { outcome, value, version }: Response<unknown>): void {
  switch (outcome) {
    case 'applied':
      return call.ok({ outcome: 'applied', version: version ?? undefined });
    case 'refused':
      return call.ok({
        outcome: 'refused',
        current: textOf(value),
        version: version ?? undefined,
      });
    case 'notApplied':
      return call.fail();
    default:
      return call.info();
  }
}

/** What an undecided write is resolved to comes as bytes. */
function textOf(value: unknown): string | null {
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  return typeof value === 'string' ? value : null;
}

function nodeOf(client: Client): { readonly node?: string } {
  const node = client.connection?.node;
  return node === undefined ? {} : { node };
}
