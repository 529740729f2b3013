import { randomChance, SeededRandom, type Random } from '@skerry/base';
import type { Read, Session } from '../sessions/session.ts';
import { keyOf, keyPicker, type Distribution } from './keys.ts';
import type { Call } from './load.ts';

/** What the calls are about; crosses to the generator's process as JSON. */
export interface WorkloadOptions {
  readonly keys: number;
  readonly distribution: Distribution;
  readonly valueBytes: number;
  readonly seed: number;
}

interface WorkloadKind {
  readonly summary: string;
  /** Of which every session must have all. */
  readonly needs: readonly (keyof Session)[];
  readonly make: (session: Session, draw: Draw) => Call;
}

/** What a call is drawn from. */
interface Draw {
  readonly key: () => string;
  readonly value: () => string;
  readonly random: Random;
}

/** All callers of `swap` are after these. */
const contendedKeys = 8;
/** A mismatch says what there is instead, and the next try knows it; this many in a row mean that something is wrong. */
const swapTriesMax = 10_000;
const distinctValues = 61;

export const workloads = {
  set: { summary: 'consistent set', needs: ['set'], make: setOf },
  get: { summary: 'consistent get', needs: ['get'], make: getOf },
  'weak-set': { summary: 'quorum-less set', needs: ['weakSet'], make: weakSetOf },
  'local-get': { summary: 'local get', needs: ['localGet'], make: localGetOf },
  swap: { summary: `compare-and-swap of ${contendedKeys} keys until it succeeds`, needs: ['swap'], make: swapOf },
  add: { summary: 'counter add', needs: ['add'], make: addOf },
  'ycsb-a': { summary: 'YCSB A: half reads, half updates', needs: ['get', 'set'], make: mixOf(0.5) },
  'ycsb-b': { summary: 'YCSB B: 95 % reads, 5 % updates', needs: ['get', 'set'], make: mixOf(0.95) },
  'ycsb-c': { summary: 'YCSB C: reads only', needs: ['get'], make: mixOf(1) },
  'ycsb-f': { summary: 'YCSB F: half reads, half read-modify-write', needs: ['get', 'set'], make: readModifyWriteOf },
} as const satisfies Readonly<Record<string, WorkloadKind>>;

export type WorkloadName = keyof typeof workloads;

export const workloadNames = Object.keys(workloads) as WorkloadName[];

/** null: the system has no such call. */
export function callOf(name: WorkloadName, session: Session, options: WorkloadOptions): Call | null {
  const { needs, make } = workloads[name] as WorkloadKind;
  if (needs.some((method) => session[method] === undefined)) return null;
  const random = new SeededRandom(options.seed);
  const pick = keyPicker(options.distribution, options.keys, random);
  const values = valuesOf(options);
  let next = 0;
  const value = (): string => values[next++ % distinctValues] as string;
  return make(session, { key: () => keyOf(pick()), value, random });
}

/** Letters and digits, different in each value, so that nothing is gained by compressing or comparing them. */
export function valuesOf({ valueBytes, seed }: Pick<WorkloadOptions, 'valueBytes' | 'seed'>): string[] {
  const random = new SeededRandom(seed + 1);
  const letter = (): string => (random.uint32() % 36).toString(36);
  return Array.from({ length: distinctValues }, () => Array.from({ length: valueBytes }, letter).join(''));
}

function setOf(session: Session, { key, value }: Draw): Call {
  return () => session.set(key(), value());
}

function getOf(session: Session, { key }: Draw): Call {
  return async () => present(await session.get(key()));
}

function weakSetOf({ weakSet }: Session, { key, value }: Draw): Call {
  return () => (weakSet as NonNullable<typeof weakSet>)(key(), value());
}

function localGetOf({ localGet }: Session, { key }: Draw): Call {
  return () => (localGet as NonNullable<typeof localGet>)(key());
}

function addOf({ add }: Session, { key }: Draw): Call {
  return () => (add as NonNullable<typeof add>)(`counter-${key()}`);
}

function swapOf({ get, swap }: Session, { value, random }: Draw): Call {
  const latest = new Map<string, Read>();
  return async () => {
    const key = `contended-${random.uint32() % contendedKeys}`;
    let read = latest.get(key) ?? (await get(key));
    for (let tries = 1; tries <= swapTriesMax; tries++) {
      const answer = await (swap as NonNullable<typeof swap>)(key, `${random.uint32()} ${value()}`, read);
      ({ read } = answer);
      if (!answer.done) continue;
      latest.set(key, read);
      return;
    }
    throw new Error(`no swap of ${key} succeeded in ${swapTriesMax} tries`);
  };
}

function mixOf(readShare: number): WorkloadKind['make'] {
  return (session, { key, value, random }) =>
    async () => {
      if (randomChance(random, readShare)) present(await session.get(key()));
      else await session.set(key(), value());
    };
}

function readModifyWriteOf(session: Session, { key, value, random }: Draw): Call {
  return async () => {
    const chosen = key();
    present(await session.get(chosen));
    if (randomChance(random, 0.5)) await session.set(chosen, value());
  };
}

/** A benchmark that reads what was never written measures something else. */
function present({ value }: Read): void {
  if (value === null) throw new Error('a key that was filled is not there');
}
