import { SeededRandom, utf8Encode, type ReplicaId } from '@skerry/base';
import { isTombstone, type Dot, type Part } from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import type { Answer, Operation, ValueChange, ValueType } from './requests.ts';
import { del, header, only, update } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { set } from './testing/world.ts';

// No region is evicted. Logs are cut for their length, so regions exchange state. They write, overwrite, remove and delete parts of
// the same few keys, of one type or two, often without having seen each other.

interface Drawn {
  readonly below: (end: number) => number;
  readonly pick: <T>(from: readonly T[]) => T;
}

function draw(seed: number): Drawn {
  const random = new SeededRandom(seed);
  const below = (end: number): number => random.uint32() % end;
  return { below, pick: <T>(from: readonly T[]): T => from[below(from.length)] as T };
}

/** One acknowledged write that adds something: an element, a sibling, an enable, a chunk, an increment, a register's value. */
interface Atom {
  readonly name: string;
  readonly key: string;
  readonly type: ValueType;
  readonly origin: ReplicaId;
  readonly sequence: number;
}

/** One acknowledged write that took something away. */
interface Removal {
  readonly what: string;
  readonly key: string;
  /** What its region showed when it was called, of what it takes away. */
  readonly saw: ReadonlySet<string>;
  /** With what came while it was under way. */
  readonly mayHaveSeen: ReadonlySet<string>;
  readonly origin: ReplicaId;
  readonly sequence: number;
}

const typeNames = ['set', 'flag', 'counter', 'multiRegister', 'document', 'register'] as const;

const nameOf = (type: ValueType, { replica, sequence }: Dot): string => `${type}/${replica.toString(16)}:${sequence}`;

/** Each increment is a power of two of its own, so a total tells which are in it. */
function incrementsIn(total: bigint): string[] {
  const found: string[] = [];
  for (let bit = 0; bit < 60; bit++) if (((total >> BigInt(bit)) & 1n) === 1n) found.push(`counter/${bit}`);
  return total < 0n ? ['counter/negative'] : found;
}

function totalOf(part: Extract<Part, { type: 'counter' }>): bigint {
  let total = 0n;
  for (const { generations } of part.entries.values())
    for (const { seen, reset } of generations.values())
      for (const [sign, { prefix, beyond }] of [[1n, seen] as const, [-1n, reset] as const])
        for (const amount of [prefix.plus - prefix.minus, ...beyond.values()]) total += sign * amount;
  return total;
}

function atomsOf(part: Part): string[] {
  const named = (entries: Iterable<{ readonly dot: Dot }>): string[] =>
    Array.from(entries, ({ dot }) => nameOf(part.type, dot));
  switch (part.type) {
    case 'register':
      return part.value === null ? [] : [nameOf('register', part.dot)];
    case 'set':
      return named(part.adds.entries.values());
    case 'flag':
      return named(part.enables.entries.values());
    case 'multiRegister':
      return named(part.siblings.entries.values());
    case 'document':
      return named(part.chunks.entries.values());
    case 'counter':
      return incrementsIn(totalOf(part));
  }
}

class Story {
  readonly world: RegionsWorld;
  readonly keys: readonly string[];
  readonly atoms: Map<string, Atom> = new Map();
  readonly removals: Removal[] = [];
  readonly lines: string[] = [];
  readonly wrong: Set<string> = new Set();
  /** Nobody knows whether a write of these took effect. */
  readonly unsure: Set<string> = new Set();
  /** What a region showed, and did not show later. */
  readonly #gone: Map<string, Set<string>> = new Map();
  readonly #shown: Map<string, Set<string>> = new Map();
  /** Chunks that were missing somewhere: they are in a ledger, then. */
  readonly #ended: Map<string, Atom> = new Map();
  #count = 0;
  #bits = 0;

  constructor(world: RegionsWorld, keys: readonly string[]) {
    this.world = world;
    this.keys = keys;
  }

  parts(region: string, key: string): readonly Part[] {
    for (const { state } of this.world.world(region).replica('n1').partitionsForTests) {
      const record = state.read(key);
      if (record !== null) return record.value.parts;
    }
    return [];
  }

  shown(region: string, key: string): Set<string> {
    return new Set(this.parts(region, key).flatMap(atomsOf));
  }

  note(region: string, what: string): void {
    this.lines.push(`${this.world.nowMs} ${region}: ${what}`);
  }

  /** The changes that take something away, and what they would take away at this moment. */
  #change(key: string, type: ValueType, region: string, drawn: Drawn): { operation: Operation; takes: string[] } {
    const { below, pick } = drawn;
    const part = this.parts(region, key).find((one) => one.type === type);
    const there = part === undefined ? [] : atomsOf(part);
    const id = utf8Encode(`${region}-${this.#count++}`);
    const changed = (change: ValueChange, takes: string[] = []): { operation: Operation; takes: string[] } => ({
      operation: update(key, change),
      takes,
    });
    switch (type) {
      case 'set': {
        if (part?.type !== 'set' || there.length === 0 || below(2) > 0)
          return changed({ type, action: 'add', element: id });
        const { dot, payload } = pick([...part.adds.entries.values()]);
        return changed({ type, action: 'remove', element: payload }, [nameOf(type, dot)]);
      }
      case 'flag':
        return changed({ type, action: pick(['enable', 'enable', 'disable']) }, there);
      case 'counter':
        if (there.length > 0 && below(4) === 0) return changed({ type, action: 'reset' }, there);
        return changed({ type, action: 'add', amount: 2 ** this.#bits++ });
      case 'multiRegister': {
        if (below(3) === 0) return changed({ type, value: id, context: null });
        const answer = this.world.ask(region, { kind: 'read', key, type, consistent: true });
        const view = answer.kind === 'key' ? answer.view : undefined;
        const context = view?.type === 'multiRegister' ? view.context : null;
        // Nothing happens between the answer and the call.
        const now = this.parts(region, key).find((one) => one.type === type);
        return changed({ type, value: id, context }, context === null || now === undefined ? [] : atomsOf(now));
      }
      case 'document':
        return changed({ type, action: 'change', bytes: id, operations: 1 });
      case 'register':
        return { operation: set(key, `${region}-${this.#count}`), takes: there };
    }
  }

  write(region: string, key: string, type: ValueType | 'delete', drawn: Drawn): void {
    const before = this.shown(region, key);
    const { operation, takes } =
      type === 'delete' ? { operation: del(key), takes: [...before] } : this.#change(key, type, region, drawn);
    const mayHaveSeen = new Set(takes);
    const takesAll = takes.length > 0 || type === 'delete' || type === 'flag' || type === 'register';
    const call = this.world.call(region, operation);
    const bit = this.#bits - 1;
    try {
      this.world.until(() => {
        if (type === 'delete' || type === 'flag' || type === 'counter' || type === 'register')
          for (const one of this.shown(region, key)) mayHaveSeen.add(one);
        return call.answer !== undefined;
      });
    } catch {
      this.unsure.add(key);
      return this.note(region, `${type} ${key}: no answer`);
    }
    const answer = call.answer as Answer;
    if (answer.kind !== 'key' || answer.outcome !== 'applied')
      return this.note(region, `${type} ${key}: ${answer.kind === 'error' ? answer.code : JSON.stringify(answer)}`);
    const { origin, origins } = header(this.world, region);
    const sequence = origins.get(origin)?.applied ?? 0;
    // What came in the very step in which the write took effect was never shown.
    for (const one of this.atoms.values())
      if (
        type !== 'set' &&
        type !== 'multiRegister' &&
        one.key === key &&
        (origins.get(one.origin)?.applied ?? 0) >= one.sequence
      )
        mayHaveSeen.add(one.name);
    const own = [...this.shown(region, key)].filter((name) => !before.has(name) && !this.atoms.has(name));
    const name =
      operation.kind === 'update' && operation.change.type === 'counter' && operation.change.action === 'add'
        ? `counter/${bit}`
        : own.find((one) => one.split('/')[1]?.startsWith(`${origin.toString(16)}:`));
    for (const one of own) mayHaveSeen.delete(name === one ? one : '');
    if (name !== undefined) {
      mayHaveSeen.delete(name);
      this.atoms.set(name, { name, key, type: name.split('/')[0] as ValueType, origin, sequence });
    }
    // Who took it away first names it; another one that came in between did not.
    const taken = takes.filter((one) => !this.removals.some((other) => other.mayHaveSeen.has(one)));
    const what = `${type} ${key}${name === undefined ? '' : ` makes ${name}`}${takes.length === 0 ? '' : ` takes ${takes.join(' ')}`}`;
    if (takesAll) this.removals.push({ what, key, saw: new Set(taken), mayHaveSeen, origin, sequence });
    this.note(region, `${what} (${sequence})`);
  }

  restarted(region: string): void {
    for (const key of this.keys) {
      this.#gone.delete(`${region}/${key}`);
      this.#shown.delete(`${region}/${key}`);
    }
  }

  /** Whatever a region has applied, it shows. */
  look(): void {
    for (const region of this.world.regions) {
      if (!this.world.world(region).isUp('n1' as never)) continue;
      const applied = new Map(Array.from(header(this.world, region).origins, ([origin, one]) => [origin, one.applied]));
      const hasApplied = ({ origin, sequence }: Pick<Atom, 'origin' | 'sequence'>): boolean =>
        (applied.get(origin) ?? 0) >= sequence;
      for (const key of this.keys) {
        if (this.unsure.has(key)) continue;
        const shown = this.shown(region, key);
        const place = `${region}/${key}`;
        const gone = this.#gone.get(place) ?? new Set();
        for (const one of this.#shown.get(place) ?? []) if (!shown.has(one)) gone.add(one);
        this.#gone.set(place, gone);
        this.#shown.set(place, shown);
        for (const one of shown) {
          if (gone.has(one)) this.#broken(region, `I11: ${one} of ${key} is back`);
          const removal = this.removals.find((other) => other.key === key && other.saw.has(one) && hasApplied(other));
          if (removal !== undefined) this.#broken(region, `I11: ${one} of ${key} is there after "${removal.what}"`);
        }
        for (const atom of this.atoms.values()) {
          if (atom.key !== key || shown.has(atom.name) || !hasApplied(atom) || atom.type === 'register') continue;
          const isTaken = this.removals.some((other) => other.key === key && other.mayHaveSeen.has(atom.name));
          // A delete takes away what is written to the same document without having seen that, into the ledger.
          if (!isTaken && atom.type === 'document') this.#ended.set(atom.name, atom);
          else if (!isTaken) this.#broken(region, `I12: ${atom.name} of ${key} is not there`);
        }
      }
    }
  }

  /** Keys with documents of which the ledgers tell that they were deleted. */
  #deletedDocuments(): Set<string> {
    return new Set(
      this.world.regions.flatMap((region) => {
        const page = this.world.ask(region, { kind: 'conflicts', prefix: '', limit: 1_000 });
        if (page.kind !== 'conflicts') throw new Error(page.kind);
        return page.entries.flatMap(({ key, reason }) => (reason === 'documentDeleted' ? [key] : []));
      }),
    );
  }

  #broken(region: string, what: string): void {
    const before = this.wrong.size;
    this.wrong.add(`${region}: ${what}`);
    if (this.wrong.size > before) this.note(region, `*** ${what}`);
  }

  atTheEnd(): void {
    const deleted = this.#deletedDocuments();
    for (const { name, key } of this.#ended.values())
      if (!deleted.has(key)) this.wrong.add(`I12: ${name} of ${key} was not there, and is in no ledger`);
    for (const key of this.keys) {
      const shown = this.world.regions.map((region) => [...this.shown(region, key)].sort().join(' '));
      if (new Set(shown).size > 1) this.wrong.add(`I9: ${key} is ${JSON.stringify(shown)}`);
    }
  }
}

/** What is to be dropped once all have applied all. */
function remains(world: RegionsWorld, keys: readonly string[]): string[] {
  return world.regions.flatMap((region) =>
    [...world.world(region).replica('n1').partitionsForTests].flatMap(({ state }) => [
      ...keys.flatMap((key) => {
        const value = state.read(key)?.value ?? null;
        return value !== null && isTombstone(value) ? [`${region}: tombstone of ${key}`] : [];
      }),
      ...[...state.header.origins].flatMap(([origin, { bytes }]) =>
        bytes > 0 ? [`${region}: log ${origin} ${bytes}`] : [],
      ),
    ]),
  );
}

function livesThrough(seed: number): string[] {
  const drawn = draw(seed);
  const { below, pick } = drawn;
  const world = new RegionsWorld({
    nodes: pick([
      [1, 1, 1],
      [1, 1, 1, 1],
    ]),
    seed,
    timing: { tombstoneKeepMs: pick([100, 100, 3_000]) },
    limits: { regionLogBytesMax: 4_000 },
    lossPerMille: below(2) * below(150),
    duplicatesPerMille: pick([0, 0, 100]),
    delayMsMax: pick([1, 5, 60]),
  });
  const keys = ['k1', 'k2', 'k3'].slice(0, 1 + below(3));
  const types = new Map(
    keys.map((key) => [key, below(4) === 0 ? [pick(typeNames), pick(typeNames)] : [pick(typeNames)]]),
  );
  const story = new Story(world, keys);
  const isRestarting = below(4) === 0;
  const density = pick([2, 3, 5]);
  const { regions } = world;
  world.awaitLeaders();
  world.run(1_000);
  // Nearly all that a region has written so far is cut off its log, if some region has not applied it.
  const writeMuch = (region: string): void => {
    for (let count = 0; count < 12; count++) world.ask(region, set(`much-${region}-${count % 6}`, 'x'.repeat(600)));
    story.note(region, 'writes much');
    world.run(pick([100, 1_500]));
  };
  const runs = (ms: number): void => {
    for (let left = ms; left > 0; left -= 100) {
      world.run(Math.min(left, 100));
      story.look();
    }
  };
  for (let phase = 3 + below(5); phase > 0; phase--) {
    const pairs = regions.flatMap((x) => regions.filter((y) => x < y).map((y) => `${x}${y}`));
    const open = pairs.filter(() => below(3) > 0);
    only(world, ...open);
    const late = Array.from({ length: below(7) }, () => `${pick(regions)}${pick(regions)}`);
    const silent = Array.from({ length: below(2) * below(3) }, () => `${pick(regions)}${pick(regions)}`);
    world.passes = (from, to, m) =>
      !(m.kind === 'entries' && late.includes(`${to}${m.region}`)) &&
      !(m.kind === 'heartbeat' && silent.includes(`${to}${from}`));
    story.note('all', `open: ${open.join(' ')}; withheld: ${late.join(' ')}; silent: ${silent.join(' ')}`);
    runs(pick([0, 100, 1_500, 3_000]));
    for (let step = 1 + below(7); step > 0; step--) {
      const region = pick(regions);
      const key = pick(keys);
      const type = story.shown(region, key).size > 0 && below(4) === 0 ? 'delete' : pick(types.get(key) ?? []);
      if (below(density) === 0) writeMuch(region);
      else story.write(region, key, type, drawn);
      story.look();
      if (isRestarting && below(8) === 0) {
        world.stopRegion(region);
        world.run(pick([10, 1_000]));
        world.startRegion(region);
        world.run(1_500);
        story.restarted(region);
        story.note(region, 'restarted');
      }
      runs(pick([5, 100, 100, 600]));
    }
    if (below(2) === 0) writeMuch(pick(regions));
    runs(pick([0, 500, 2_500]));
  }
  world.passes = () => true;
  world.heal();
  story.note('all', 'healed');
  const problems: string[] = [];
  try {
    world.until(() => world.isConverged(), 60_000, 'convergence');
    runs(5_000);
    world.until(() => world.isConverged() && remains(world, keys).length === 0, 60_000, 'nothing is left');
  } catch (error) {
    problems.push(String(error), ...remains(world, keys));
  }
  story.look();
  story.atTheEnd();
  problems.push(...story.wrong);
  return problems.length > 0 ? [...problems, ...story.lines] : [];
}

describe('regions that take each other’s state, as logs were cut for their length', () => {
  // PARTS=first-last or PARTS=seed runs others.
  const [first = 1, last = first] = (process.env['PARTS'] ?? '1-40').split('-').map(Number);
  const seeds = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  it.each(seeds)(
    'come together, and show what is written and nothing that was removed (I9, I11, I12): seed %i',
    (seed) => {
      expect(livesThrough(seed)).toEqual([]);
    },
  );
});
