import type { Client } from '@skerry/client';
import { inParallel } from './in-parallel.ts';
import type { Write } from './plain-model.ts';
import { within } from './expect.ts';

/** Who makes a call. */
export interface Caller {
  readonly client: Client;
  readonly region: number;
  readonly session: number;
  /** All its calls go to one node. */
  readonly pinned: boolean;
}

/** A write as far as its own answer tells of it. */
interface Noted {
  readonly write: Write;
  /** By which the fate of an undecided one can be found. */
  readonly ticket: string | null;
  /** Of a quorum-less one that was accepted. */
  readonly receipt: string | null;
}

/** What any answer to a write has. */
interface Answered {
  readonly valid: boolean;
  readonly outcome?: string;
  readonly version: string | null;
  readonly receipt?: string;
  readonly ticket?: string;
}

const never = Number.POSITIVE_INFINITY;
/** For what has to come about once all is healed. */
const patienceMs = 180_000;

/** All writes of a round, by what their callers were told: in doubt, that it is not known. */
export class Journal {
  readonly problems: string[] = [];
  /** Definite refusals, by code. */
  readonly refusals = new Map<string, number>();
  /** Calls that came back without a definite outcome. */
  undecided = 0;
  calls = 0;
  #noted: Noted[] = [];

  /** Makes the call and notes what it may have done. Resolves to whether it was acknowledged. */
  async write(
    caller: Caller,
    { key, action, consistent }: Pick<Write, 'key' | 'action' | 'consistent'>,
    call: () => Promise<Answered>,
  ): Promise<boolean> {
    this.calls++;
    const { region, session, pinned } = caller;
    const fromMs = performance.now();
    const note = (isApplied: boolean, { version = null, ticket, receipt }: Partial<Answered>): void => {
      const toMs = isApplied ? performance.now() : never;
      if (!isApplied) this.undecided++;
      const write = { key, action, region, session, pinned, consistent, fromMs, toMs, isApplied };
      this.#noted.push({
        // The stamp of a quorum-less write may still be clamped.
        write: { ...write, version: consistent && isApplied ? version : null },
        ticket: ticket ?? null,
        receipt: receipt ?? null,
      });
    };
    try {
      const answer = await call();
      if (answer.valid) note(true, answer);
      else if (answer.outcome === 'undecided') note(false, answer);
      else this.#refused(answer.outcome ?? 'timed out');
      return answer.valid;
    } catch (error) {
      const {
        code = 'none',
        definite = false,
        ticket,
      } = error as { code?: string; definite?: boolean; ticket?: string };
      if (code === 'none') throw error;
      if (definite) this.#refused(code);
      else note(false, ticket === undefined ? {} : { ticket });
      return false;
    }
  }

  /**
   * Finds out, when all is healed, what became of each write: of the undecided ones by their tickets, of the quorum-less
   * ones by their receipts. `clients`: one of each region. Begins anew.
   */
  async settle(clients: readonly Client[]): Promise<Write[]> {
    const noted = this.#noted;
    this.#noted = [];
    const settled = await inParallel({ count: noted.length, open: 200 }, async (index) => {
      const { write, ticket, receipt } = noted[index] as Noted;
      const client = clients[write.region] as Client;
      if (receipt !== null) return this.#byReceipt(client, write, receipt);
      if (ticket !== null) return this.#byTicket(client, write, ticket);
      return write;
    });
    return settled.filter((write) => write !== null);
  }

  async #byTicket(client: Client, write: Write, ticket: string): Promise<Write | null> {
    const { outcome, version } = await within(`what became of ${write.key}`, patienceMs, client.resolve(ticket));
    switch (outcome) {
      case 'applied':
        return { ...write, isApplied: true, toMs: performance.now(), version };
      case 'notApplied':
      case 'refused':
        return null;
      default:
        this.problems.push(`${write.key}: a ticket resolved to ${outcome}`);
        return write;
    }
  }

  async #byReceipt(client: Client, write: Write, receipt: string): Promise<Write | null> {
    const { state, reason, version } = await within(
      `the receipt of ${write.key}`,
      patienceMs,
      client.receipt(receipt).wait(),
    );
    switch (state) {
      case 'promoted':
        return { ...write, version };
      case 'merged':
        return write;
      case 'superseded':
        // A later one was there: it stands in its place, under its own version.
        if (write.action.type !== 'register') this.problems.push(`${write.key}: a ${write.action.type} was superseded`);
        return write;
      default:
        this.problems.push(`${write.key}: an acknowledged write is ${state}: ${reason}`);
        return null;
    }
  }

  #refused(why: string): void {
    this.refusals.set(why, (this.refusals.get(why) ?? 0) + 1);
  }
}
