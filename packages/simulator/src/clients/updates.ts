import { randomChance, randomInt, randomPick, utf8Encode } from '@skerry/base';
import type { PlainAction } from '@skerry/checkers';
import type { ValueChange, ValueType, ValueView, WriteOperation } from '@skerry/replica';
import { ask } from './asking.ts';
import { wordOf, type Caller } from './caller.ts';
import type { Update } from './journal.ts';
import { awaitReceipt } from './receipts.ts';

type Typed = Exclude<ValueType, 'register'>;

const keysPerType = 2;
/** Elements of sets that are added and removed again and again; the others are added once. */
const sharedElements = 3;

/** One call on a value of another type than the register: a write, for a multi-value register or a set after a read. */
export function callTyped(client: Caller): void {
  const { random, load } = client;
  const type = randomPick(random, load.world.plan.types);
  const key = `${type}-${randomInt(random, 1, keysPerType)}`;
  const consistent = randomChance(random, 0.5);
  switch (type) {
    case 'counter': {
      const amount = randomInt(random, -3, 9);
      return write(client, {
        key,
        consistent,
        action: { type: 'counter', amount },
        change: { type, action: 'add', amount },
      });
    }
    case 'flag': {
      const enabled = randomChance(random, 0.5);
      return write(client, {
        key,
        consistent,
        action: { type: 'flag', enabled },
        change: { type, action: enabled ? 'enable' : 'disable' },
      });
    }
    case 'set':
      if (randomChance(random, 0.5))
        return changeSet(client, {
          key,
          consistent,
          action: randomPick(random, ['add', 'remove'] as const),
          element: `shared${randomInt(random, 1, sharedElements)}`,
        });
      if (randomChance(random, 0.6))
        return changeSet(client, { key, consistent, action: 'add', element: client.newValue() });
      return read(client, { key, type, consistent }, (view) => {
        const elements =
          view?.type === 'set' ? view.elements.map(wordOf).filter((element) => !element.startsWith('shared')) : [];
        if (elements.length > 0)
          changeSet(client, { key, consistent, action: 'remove', element: randomPick(random, elements) });
      });
    case 'multiRegister':
      return read(client, { key, type, consistent }, (view) => {
        const seen = view?.type === 'multiRegister' ? view : null;
        const value = client.newValue();
        write(client, {
          key,
          consistent,
          action: { type: 'multi', value, replaces: seen?.values.map(wordOf) ?? [] },
          change: { type, value: utf8Encode(value), context: seen?.context ?? null },
        });
      });
    case 'document': {
      // Nodes take changes as they come; a chunk is replaced by none here.
      const value = client.newValue();
      return write(client, {
        key,
        consistent,
        action: { type: 'multi', value, replaces: [] },
        change: { type, action: 'change', bytes: utf8Encode(value), operations: 1 },
      });
    }
  }
}

function changeSet(
  client: Caller,
  { key, consistent, action, element }: { key: string; consistent: boolean; action: 'add' | 'remove'; element: string },
): void {
  write(client, {
    key,
    consistent,
    action: { type: 'set', action, element },
    change: { type: 'set', action, element: utf8Encode(element) },
  });
}

function read(
  client: Caller,
  { key, type, consistent }: { key: string; type: Typed; consistent: boolean },
  then: (view: ValueView | undefined) => void,
): void {
  const { load, random } = client;
  client.begin();
  ask({
    world: load.world,
    random,
    pickNode: client.pickNode,
    request: { operation: { kind: 'read', key, type, consistent }, ...client.patience(key, client.drawTimeoutMs()) },
    onAnswer: (answer, _, seen) => {
      if (answer.kind !== 'key') load.onAnomaly('answer', `a read was answered ${JSON.stringify(answer)}`);
      else if (!answer.timeout) {
        if (seen !== null) client.saw(seen);
        then(answer.view);
      }
      client.finish();
      return true;
    },
  });
}

function write(
  client: Caller,
  { key, consistent, action, change }: { key: string; consistent: boolean; action: PlainAction; change: ValueChange },
): void {
  const { load } = client;
  const { journal, world } = load;
  const operation: WriteOperation = { kind: 'update', key, change, consistent };
  const update = journal.update({ key, action, region: world.index, session: client.name, consistent });
  client.write(key, operation, (end) => {
    if (end.kind === 'noEffect') update.outcome = 'noEffect';
    if (end.kind !== 'answer') return;
    update.label = end.label;
    const { answer } = end;
    if (answer.kind !== 'key') return load.onAnomaly('answer', `an update was answered ${JSON.stringify(answer)}`);
    if (consistent) {
      journal.acknowledge(update);
      return;
    }
    journal.acknowledge(update);
    // There was nothing to take away.
    if (answer.receipt === undefined && (action.type === 'set' || action.type === 'flag')) return;
    if (answer.receipt === undefined)
      return load.onAnomaly('answer', `a quorum-less update was answered ${JSON.stringify(answer)}`);
    if (world.isWipedSince(end.label)) update.forsaken = true;
    client.wrote(answer.receipt, () => update.forsaken || update.receipt !== null);
    settle(client, update, { receipt: answer.receipt, fenced: end.fenced });
  });
}

function settle(client: Caller, update: Update, { receipt, fenced }: { receipt: string; fenced: boolean }): void {
  awaitReceipt(client, { of: update, receipt }, ({ state }) => {
    // A set or a flag may have nothing to change; only a multi-value register has a limit of its own, and a fence is asked for.
    if (state === 'rejected' && update.action.type !== 'multi' && !fenced)
      client.load.onAnomaly('I12', `an acknowledged update of ${update.key} was rejected`);
  });
}
