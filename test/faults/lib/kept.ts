import { clientId } from '@skerry/base';
import { newClientId, RawCaller } from './raw-caller.ts';
import type { Region } from './region.ts';

/** What a region of three nodes holds of everything, for whoever opens its folders later. */
export interface Kept {
  /** Registers, by key; null: deleted. */
  readonly registers: Readonly<Record<string, string | null>>;
  /** A write that n1 alone holds when its folder is closed, and its receipt. */
  readonly pending: { readonly key: string; readonly value: string; readonly receipt: string };
  /** Who added ten to the counter `kept/once`, as its sequence 1. */
  readonly client: string;
}

const fruits = ['apple', 'fig'];
const rounds = 3;
const keysPerRound = 20;

/** Fills a region that runs, and leaves n1 and its pending write as the last that runs. */
export async function fill(region: Region): Promise<Kept> {
  const db = await region.client();
  const registers: Record<string, string | null> = {};
  // Over several rounds, so that there are values that were overwritten, also with a snapshot in between.
  for (let round = 1; round <= rounds; round++) {
    for (let index = 0; index < keysPerRound; index++) {
      const key = `kept/register-${index % (keysPerRound - round)}`;
      registers[key] = `round ${round}, ${index} ${'.'.repeat(index)}`;
      await db.set(key, registers[key]);
    }
  }
  await db.delete('kept/register-3');
  registers['kept/register-3'] = null;
  await db.swap('kept/register-4', 'swapped', registers['kept/register-4'] ?? null);
  registers['kept/register-4'] = 'swapped';
  const promoted = await db.set('kept/promoted', 'without a quorum', { consistent: false });
  await db.receipt(promoted.receipt ?? '').wait();
  registers['kept/promoted'] = 'without a quorum';

  await db.counter('kept/counter').add(7);
  await db.counter('kept/counter').add(-2);
  for (const fruit of [...fruits, 'pear']) await db.setOf('kept/set').add(fruit);
  await db.setOf('kept/set').remove('pear');
  await db.flag('kept/flag').enable();
  await db.multi('kept/multi').set('left');
  await db.multi('kept/multi').set('right');
  await db.document<{ title: string }>('kept/document').change((draft) => {
    draft.title = 'kept';
  });
  const client = await addOnce(region);
  await region.settled();

  const [first, ...others] = region.nodes;
  if (first === undefined) throw new Error('a region has nodes');
  const alone = await region.pinned(first);
  await Promise.all(others.map((node) => node.kill()));
  const write = { key: 'kept/pending', value: 'held by n1 alone' };
  const accepted = await alone.set(write.key, write.value, { consistent: false });
  return { registers, pending: { ...write, receipt: accepted.receipt ?? '' }, client };
}

/** What is not as it was kept; nothing: all is there. */
export async function missing(region: Region, kept: Kept): Promise<string[]> {
  const db = await region.client();
  const found: Record<string, unknown> = {};
  const wanted: Record<string, unknown> = { ...kept.registers };
  for (const key of Object.keys(kept.registers)) found[key] = (await db.get(key)).value;
  wanted[kept.pending.key] = kept.pending.value;
  await db.receipt(kept.pending.receipt).wait();
  found[kept.pending.key] = (await db.get(kept.pending.key)).value;
  wanted['kept/counter'] = '5';
  found['kept/counter'] = String((await db.counter('kept/counter').get()).value);
  wanted['kept/set'] = fruits;
  found['kept/set'] = (await db.setOf('kept/set').values()).value;
  wanted['kept/flag'] = true;
  found['kept/flag'] = (await db.flag('kept/flag').get()).value;
  wanted['kept/multi'] = ['left', 'right'];
  found['kept/multi'] = (await db.multi('kept/multi').get()).values.toSorted();
  wanted['kept/document'] = 'kept';
  found['kept/document'] = (await db.document<{ title: string }>('kept/document').get()).value?.title;
  // A session is forgotten after a day, and the retry refused then; taking effect again is what must never be.
  wanted['kept/once'] = '10';
  await retryOnce(region, kept.client);
  found['kept/once'] = String((await db.counter('kept/once').get()).value);
  wanted['all keys'] = Object.keys(wanted)
    .filter((key) => wanted[key] !== null)
    .toSorted();
  found['all keys'] = (await db.list('kept/', { keysOnly: true })).entries.map(({ key }) => key);
  return Object.keys(wanted)
    .filter((key) => JSON.stringify(found[key]) !== JSON.stringify(wanted[key]))
    .map((key) => `${key}: ${JSON.stringify(found[key])} instead of ${JSON.stringify(wanted[key])}`);
}

const ten = {
  kind: 'update',
  key: 'kept/once',
  change: { type: 'counter', action: 'add', amount: 10 },
  consistent: true,
} as const;

async function addOnce(region: Region): Promise<string> {
  const { caller, welcome } = await RawCaller.connect(region.nodes[0]?.clientUrl ?? '');
  const client = newClientId(welcome);
  await caller.ask({ operation: ten, id: { client: clientId(client), sequence: 1, answeredBelow: 1, retry: false } });
  caller.close();
  return client;
}

async function retryOnce(region: Region, client: string): Promise<void> {
  const { caller } = await RawCaller.connect(region.nodes[1]?.clientUrl ?? '');
  await caller.ask({ operation: ten, id: { client: clientId(client), sequence: 1, answeredBelow: 1, retry: true } });
  caller.close();
}
