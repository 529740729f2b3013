import { clientId, type ClientId } from '@skerry/base';
import { newClientId, RawCaller } from './raw-caller.ts';
import type { Region } from './region.ts';
import type { RegionNode } from './region-node.ts';
import { pause, until } from './until.ts';

/** Amounts by which the two increment, told apart in the sum as long as there are less than a thousand of either. */
const amounts = [1, 1_000] as const;
const patienceMs = 45_000;

export interface OneId {
  /** Sequences of which one of the two increments took effect, as far as the sum tells. */
  readonly first: number;
  readonly second: number;
  /** What did not hold. */
  readonly problems: readonly string[];
}

/**
 * Two clients that both believe to be the one of an id, as after a copy of a running machine: under each sequence one adds 1 and
 * the other 1,000 to one counter, at once and at different nodes. Just one of both takes effect (I7), and both are told so.
 */
export async function addUnderOneId(
  region: Region,
  { key, sequences, consistent }: { readonly key: string; readonly sequences: number; readonly consistent: boolean },
): Promise<OneId> {
  const [a, b] = region.running;
  if (a === undefined || b === undefined) throw new Error('two nodes are needed');
  const twins = [new Twin(region, a), new Twin(region, b)] as const;
  const client = await twins[0].newId();
  const problems: string[] = [];
  const receipts: string[] = [];
  try {
    for (let sequence = 1; sequence <= sequences; sequence++) {
      const told = await Promise.all(
        twins.map((twin, index) => twin.add({ key, amount: amounts[index] ?? 0, consistent, client, sequence })),
      );
      receipts.push(...told.flatMap(({ receipt }) => (receipt === null ? [] : [receipt])));
      if (consistent && told[0]?.total !== told[1]?.total)
        problems.push(
          `I7, key ${key}, sequence ${sequence}: one is told the total ${told[0]?.total}, the other ${told[1]?.total}`,
        );
    }
  } finally {
    for (const twin of twins) twin.close();
  }
  const db = await region.client();
  // Of two copies of a quorum-less write, the second may be on its way yet.
  await Promise.all(receipts.map((receipt) => db.receipt(receipt).wait()));
  const total = Number((await db.counter(key).get()).value);
  const [first, second] = [total % 1_000, Math.floor(total / 1_000)];
  if (first + second !== sequences)
    problems.push(
      `I7, key ${key}: the sum is ${total} after ${sequences} sequences, so that ${first + second} increments took effect`,
    );
  return { first, second, problems };
}

interface Addition {
  readonly key: string;
  readonly amount: number;
  readonly consistent: boolean;
  readonly client: ClientId;
  readonly sequence: number;
}

/** What an answer says: the total after it; where to ask for the end of a quorum-less one. */
interface Told {
  readonly total: string | null;
  readonly receipt: string | null;
}

/** Stays with its node as long as that answers. */
class Twin {
  readonly #region: Region;
  #node: RegionNode;
  #caller: RawCaller | null = null;
  /** Why there was no answer, or which. */
  #last = 'none';

  constructor(region: Region, node: RegionNode) {
    this.#region = region;
    this.#node = node;
  }

  async newId(): Promise<ClientId> {
    const { caller, welcome } = await RawCaller.connect(this.#node.clientUrl);
    caller.close();
    return clientId(newClientId(welcome));
  }

  /** Asks until it is told that it was applied. */
  async add(addition: Addition): Promise<Told> {
    try {
      return await until(`an answer to sequence ${addition.sequence}`, () => this.#try(addition), patienceMs);
    } catch (error) {
      throw new Error(`${(error as Error).message}; the last was: ${this.#last}`, { cause: error });
    }
  }

  close(): void {
    this.#caller?.close();
  }

  async #try({ key, amount, consistent, client, sequence }: Addition): Promise<Told | null> {
    try {
      this.#caller ??= (await RawCaller.connect(this.#node.clientUrl)).caller;
      // Of neither it is known that nobody was sent this before.
      const answer = await this.#caller.ask({
        operation: { kind: 'update', key, change: { type: 'counter', action: 'add', amount }, consistent },
        id: { client, sequence, answeredBelow: sequence, retry: true },
      });
      if (answer.kind !== 'key' || !answer.valid || answer.timeout) throw new Error(JSON.stringify(answer));
      return {
        total: answer.view?.type === 'counter' ? answer.view.total : null,
        receipt: answer.receipt ?? null,
      };
    } catch (error) {
      this.#last = (error as Error).message;
      this.close();
      this.#caller = null;
      const { running } = this.#region;
      this.#node = running[(running.indexOf(this.#node) + 1) % running.length] ?? this.#node;
      await pause(20);
      return null;
    }
  }
}
