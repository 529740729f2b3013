import { randomChance, randomInt, randomPick, type SeededRandom } from '@skerry/base';
import type { Caller, Journal } from './model-journal.ts';
import type { Action } from './plain-model.ts';

/** Of keys of every type; few, so that regions meet at them. */
export const keysPerType = 12;
/** Elements that are added and removed again and again; the others are added once. */
const sharedElements = 4;
/** Above these, taking away is as likely as adding. */
const elementsMany = 40;
const fieldsMany = 30;

/** Documents seldom: an edit of one costs its caller alone four times what a write of another type costs all nodes. */
const types: readonly { readonly type: Action['type']; readonly weight: number }[] = [
  { type: 'register', weight: 31 },
  { type: 'counter', weight: 20 },
  { type: 'set', weight: 18 },
  { type: 'multi', weight: 14 },
  { type: 'flag', weight: 14 },
  { type: 'document', weight: 3 },
];

/** One caller that makes random calls one after the other, at any time with and without a quorum. */
export class ModelSession {
  readonly #caller: Caller;
  readonly #random: SeededRandom;
  readonly #journal: Journal;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  #count = 0;

  constructor(
    caller: Caller,
    options: {
      readonly random: SeededRandom;
      readonly journal: Journal;
      readonly prefix: string;
      readonly timeoutMs: number;
    },
  ) {
    this.#caller = caller;
    this.#random = options.random;
    this.#journal = options.journal;
    this.#prefix = options.prefix;
    this.#timeoutMs = options.timeoutMs;
  }

  async step(): Promise<void> {
    this.#count++;
    const type = this.#type();
    const key = keyOf(this.#prefix, type, randomInt(this.#random, 0, keysPerType - 1));
    const consistent = randomChance(this.#random, 0.6);
    switch (type) {
      case 'register':
        return this.#register(key, consistent);
      case 'counter':
        return this.#counter(key, consistent);
      case 'set':
        return this.#set(key, consistent);
      case 'flag':
        return this.#flag(key, consistent);
      case 'multi':
        return this.#multi(key, consistent);
      case 'document':
        return this.#document(key, consistent);
    }
  }

  async #register(key: string, consistent: boolean): Promise<void> {
    const { client } = this.#caller;
    const options = this.#options(consistent);
    const value = this.#unique('v');
    const kind = randomPick(this.#random, ['set', 'set', 'set', 'swap', 'delete']);
    if (kind === 'set')
      await this.#write({ key, action: { type: 'register', value }, consistent }, () =>
        client.set(key, value, options),
      );
    else if (kind === 'delete')
      await this.#write({ key, action: { type: 'register', value: null }, consistent }, () =>
        client.delete(key, options),
      );
    else {
      const old = await this.#read(() => client.get(key, this.#options(true)));
      if (old === null) return;
      const write = { key, action: { type: 'register', value }, consistent: true } as const;
      await this.#write(write, () => client.swap(key, value, old.value, this.#hasty));
    }
  }

  async #counter(key: string, consistent: boolean): Promise<void> {
    const { client } = this.#caller;
    const amount = randomInt(this.#random, -3, 9);
    const write = { key, action: { type: 'counter', amount }, consistent } as const;
    await this.#write(write, () => client.counter(key).add(amount, this.#options(consistent)));
  }

  async #set(key: string, consistent: boolean): Promise<void> {
    const { client } = this.#caller;
    const set = client.setOf(key);
    const options = this.#options(consistent);
    const change = async (action: 'add' | 'remove', element: string): Promise<void> => {
      const write = { key, action: { type: 'set', action, element }, consistent } as const;
      await this.#write(write, () => set[action](element, options));
    };
    if (randomChance(this.#random, 0.4)) {
      const action = randomPick(this.#random, ['add', 'remove'] as const);
      return change(action, `e${randomInt(this.#random, 0, sharedElements - 1)}`);
    }
    const seen = (await this.#read(() => set.values(options)))?.value ?? [];
    const once = seen.filter((element) => !element.startsWith('e'));
    const removes = once.length > 0 && randomChance(this.#random, once.length > elementsMany ? 0.6 : 0.3);
    return removes ? change('remove', randomPick(this.#random, once)) : change('add', this.#unique('u'));
  }

  async #flag(key: string, consistent: boolean): Promise<void> {
    const flag = this.#caller.client.flag(key);
    const enabled = randomChance(this.#random, 0.5);
    const write = { key, action: { type: 'flag', enabled }, consistent } as const;
    const options = this.#options(consistent);
    await this.#write(write, () => (enabled ? flag.enable(options) : flag.disable(options)));
  }

  async #multi(key: string, consistent: boolean): Promise<void> {
    const multi = this.#caller.client.multi(key);
    const options = this.#options(consistent);
    // Seldom, since a register takes sixteen values at most.
    const isBlind = randomChance(this.#random, 0.05);
    const read = isBlind ? { values: [], context: null } : await this.#read(() => multi.get(options));
    if (read === null) return;
    const value = this.#unique('m');
    const write = { key, action: { type: 'multi', value, replaces: read.values }, consistent } as const;
    await this.#write(write, () => multi.set(value, { ...options, context: read.context }));
  }

  async #document(key: string, consistent: boolean): Promise<void> {
    const document = this.#caller.client.document(key);
    const options = this.#options(consistent);
    const fields = (await this.#read(() => document.get(options)))?.value;
    // It was made before the first round.
    if (fields === undefined || fields === null) return;
    const names = Object.keys(fields).filter((name) => name !== 'text');
    const kind = randomPick(this.#random, ['put', names.length > fieldsMany ? 'take' : 'put', 'insert'] as const);
    const name = kind === 'take' ? randomPick(this.#random, names) : this.#unique(kind === 'put' ? 'f' : 't');
    const write = { key, action: { type: 'document', action: kind, name }, consistent } as const;
    await this.#write(write, () =>
      document.change((draft, text) => {
        if (kind === 'put') draft[name] = 1;
        else if (kind === 'take') delete draft[name];
        else text.splice(['text'], 0, 0, tokenText(name));
      }, options),
    );
  }

  #write(write: Parameters<Journal['write']>[1], call: Parameters<Journal['write']>[2]): Promise<boolean> {
    return this.#journal.write(this.#caller, write, call);
  }

  /** What a valid read answers; null: there was none in time. */
  async #read<T extends { readonly valid: boolean }>(call: () => Promise<T>): Promise<T | null> {
    try {
      const answer = await call();
      return answer.valid ? answer : null;
    } catch (error) {
      if ((error as { code?: string }).code === undefined) throw error;
      return null;
    }
  }

  #type(): Action['type'] {
    let at = randomInt(this.#random, 1, 100);
    for (const { type, weight } of types) if ((at -= weight) <= 0) return type;
    throw new Error('the weights of the types do not add up to 100');
  }

  #unique(kind: string): string {
    return `${kind}${this.#caller.session}.${this.#count}`;
  }

  #options(consistent: boolean): {
    readonly consistent: boolean;
    readonly blocking: false;
    readonly timeoutMs: number;
  } {
    return { ...this.#hasty, consistent };
  }

  get #hasty(): { readonly blocking: false; readonly timeoutMs: number } {
    return { blocking: false, timeoutMs: this.#timeoutMs };
  }
}

export function keyOf(prefix: string, type: Action['type'], number: number): string {
  return `${prefix}${type}/${String(number).padStart(2, '0')}`;
}

/** In a text, a token has borders. */
export function tokenText(name: string): string {
  return `<${name}>`;
}
