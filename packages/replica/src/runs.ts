import { assert, ByteReader, ByteWriter } from '@skerry/base';
import { KeyOrder } from './key-order.ts';
import { runKey, runsFrom, runsTo } from './keys.ts';
import { OrderedMap } from './ordered-map.ts';
import type {
  StorageRange,
  StorageReader,
  StorageRecord,
  StorageSource,
  StorageView,
  StorageWrite,
} from './ports/storage.ts';
import { scanOver } from './scan-over.ts';

/** What a run says of a key: its value, null for deleted, or that the tree has something newer than older runs. */
type RunValue = Uint8Array | null | typeof inTree;
const inTree: unique symbol = Symbol('in the tree');

/** The changes of one batch, which become its runs. */
export type LazyWrites = Map<string, RunValue>;

/**
 * Where a value lies, rather than a view of it: tens of thousands of these live for seconds, and a view is a heavy object. All
 * values of a run share the memory of its record, one object for the garbage collector instead of hundreds.
 */
interface Held {
  run: Run;
  /** In the record of the run; -1: deleted. */
  start: number;
  length: number;
}

interface Run {
  readonly number: number;
  /** That carries it; 0: it was there at the start. */
  readonly batch: number;
  readonly record: Uint8Array;
  /** Records of it that are held. */
  held: number;
}

/** What a batch that is not durable yet will change. */
interface UnderWay {
  readonly batch: number;
  readonly lazy: LazyWrites;
  /** Its runs, and how many entries of `lazy` come before the end of each. */
  readonly runs: Run[];
  readonly ends: number[];
  /** For each entry of `lazy`, where its value lies in the record of its run. */
  readonly starts: number[];
  /** Keys moved into the tree. No batch up to this one says anything newer of them. */
  readonly moved: string[];
}

/** A run is one storage record of about this size: large ones need pages side by side, which LMDB has to look for. */
const runBytes = 32 * 1_024;
/** Of a larger value a second copy costs more than a page of the tree. */
const valueBytesMax = 4 * 1_024;
/** Sweeps begin when runs take this part of what they may: a tree into which hardly anything is written needs none. */
const sweepsFrom = 1 / 8;
/** What a sweep owes goes with the next batches, a quarter with each but at least so many records: their syncs take longer. */
const movedPerBatchMin = 64;

/** On its way through the keys, in order, moving all that is held into the tree. */
interface Sweep {
  /** Where it goes on. */
  from: string;
  /** Keys that lie ahead. */
  ahead: number;
  /** It should be at the end when so many bytes of runs have been written. */
  bytesLeft: number;
  /** Records that should have been moved by now. */
  owed: number;
}

/**
 * The applied state in two layers, in the manner of a log-structured merge tree (O'Neil et al. 1996, section 2): a B+ tree
 * copies a page of 4 KiB for each small record that changes somewhere in it, so changes are written as dense *runs* first,
 * are held in memory, and move into the tree in *sweeps*; what was overwritten by then never does. After a restart the runs,
 * read in order, are what was held.
 *
 * A sweep goes through the keys in order, a slice with each batch, in such steps that it ends when `bytesMax` of runs have been
 * written. So a page of the tree is written once for all that has come to be held of it since the sweep before, its
 * neighbours with it, and the pages above once for them all. (Section 2.2 of that paper calls it the rolling merge.) Run by run,
 * oldest first, each record of a large tree would cost a page, and its branch one more.
 * A run goes when nothing of it is held and those before it are gone: a sweep after it was written, whatever was in it.
 *
 * Each change of this layer is part of a batch of its owner, so it is atomic with whatever else that batch says. Reads see
 * durable batches only, as the storage port demands.
 */
export class RunStore implements StorageSource {
  readonly #tree: StorageSource;
  readonly #bytesMax: number;
  /** The newest durable value of each key that stands in a run and may not stand in the tree. */
  readonly #held: OrderedMap<Held>;
  /** Durable or under way, oldest first. */
  readonly #runs: Run[];
  readonly #underWay: UnderWay[] = [];
  /** Keys that are held; some that no longer are may be among them. */
  readonly #order: KeyOrder = new KeyOrder();
  /** null: runs take so little that nothing moves. */
  #sweep: Sweep | null = null;
  /** By {@link kindOf}, the newest run that says something of keys of that kind. */
  readonly #runOfKind: number[];
  #bytes: number;
  #nextRun: number;

  constructor(tree: StorageSource, bytesMax: number) {
    this.#tree = tree;
    this.#bytesMax = bytesMax;
    const { held, runs, runOfKind } = load(tree);
    this.#held = held;
    this.#runs = runs;
    this.#runOfKind = runOfKind;
    this.#bytes = runs.reduce((bytes, { record }) => bytes + record.length, 0);
    for (const key of held.keys()) this.#order.add(key);
    this.#nextRun = (runs.at(-1)?.number ?? 0) + 1;
  }

  /** Bytes of runs in storage. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Uint8Array | undefined {
    const held = this.#held.get(key);
    return held === undefined ? this.#tree.get(key) : (viewOf(held) ?? undefined);
  }

  /** What is held of `key`, which stays as it is; null: deleted, undefined: only the tree knows. */
  getHeld(key: string): Uint8Array | null | undefined {
    const held = this.#held.get(key);
    return held === undefined ? undefined : viewOf(held);
  }

  scan(range: StorageRange): Iterable<StorageRecord> {
    return scanHeld(this.#held, this.#tree, range);
  }

  /** Reads the runs again, as of the same moment as the tree. */
  view(): StorageView {
    const view = this.#tree.view();
    const { held } = load(view);
    return {
      get: (key) => {
        const own = held.get(key);
        return own === undefined ? view.get(key) : (viewOf(own) ?? undefined);
      },
      scan: (range) => scanHeld(held, view, range),
      close: () => view.close(),
    };
  }

  /**
   * What batch `batch` has to write: `direct` (null: deleted) into the tree, `lazy`, which is handed over, into runs, and a
   * part of the records whose time to move into the tree has come.
   */
  write(batch: number, direct: ReadonlyMap<string, Uint8Array | null>, lazy: LazyWrites): readonly StorageWrite[] {
    const writes: StorageWrite[] = [];
    for (const [key, value] of direct) {
      writes.push({ key, value });
      if (!lazy.has(key) && this.#mayBeInRun(key)) lazy.set(key, inTree);
    }
    const underWay: UnderWay = { batch, lazy, runs: [], ends: [], starts: [], moved: [] };
    this.#writeRuns(underWay, writes);
    this.#underWay.push(underWay);
    this.#move(underWay, writes);
    this.#dropRuns(writes);
    return writes;
  }

  #writeRuns({ batch, lazy, runs, ends, starts }: UnderWay, writes: StorageWrite[]): void {
    let writer: ByteWriter | null = null;
    const end = (): void => {
      if (writer === null) return;
      const run = { number: this.#nextRun++, batch, record: writer.finish(), held: 0 };
      writes.push({ key: runKey(run.number), value: run.record });
      runs.push(run);
      this.#runs.push(run);
      this.#bytes += run.record.length;
      ends.push(starts.length);
      writer = null;
    };
    for (const [key, found] of lazy) {
      let value = found;
      if (value instanceof Uint8Array && value.length > valueBytesMax) {
        writes.push({ key, value });
        lazy.set(key, (value = inTree));
      }
      writer ??= new ByteWriter(runBytes + 2 * valueBytesMax);
      writer.text(key);
      this.#runOfKind[kindOf(key)] = this.#nextRun;
      if (value === null || value === inTree) {
        writer.u8(value === null ? 0 : 1);
        starts.push(-1);
      } else {
        writer.u8(2).bytes(value);
        starts.push(writer.length - value.length);
      }
      if (writer.length >= runBytes) end();
    }
    end();
  }

  /** Batches up to `batch` are durable. */
  durable(batch: number): void {
    for (;;) {
      const oldest = this.#underWay[0];
      if (oldest === undefined || oldest.batch > batch) return;
      this.#underWay.shift();
      const { lazy, runs, ends, starts, moved } = oldest;
      let count = 0;
      let at = 0;
      for (const [key, value] of lazy) {
        if (count >= (ends[at] as number)) at++;
        const start = starts[count++] as number;
        if (value === inTree) release(this.#held, key);
        else if (hold(this.#held, key, { run: runs[at] as Run, start, length: value?.length ?? 0 })) this.#added(key);
      }
      for (const key of moved) release(this.#held, key);
    }
  }

  #added(key: string): void {
    if (this.#order.add(key) && this.#sweep !== null && key >= this.#sweep.from) this.#sweep.ahead++;
  }

  /**
   * Whether a run that stands may say something of `key`, which is the case also for some time after it has moved: a restart
   * would take that for the newest.
   */
  #mayBeInRun(key: string): boolean {
    const oldest = this.#runs[0];
    return oldest !== undefined && (this.#runOfKind[kindOf(key)] as number) >= oldest.number;
  }

  #isUnderWay(key: string): boolean {
    return this.#underWay.some(({ lazy }) => lazy.has(key));
  }

  /** The oldest runs, as far as they say nothing any more that the tree does not. */
  #dropRuns(writes: StorageWrite[]): void {
    // What is held is what is durable, so only of a durable run is it known what of it is held.
    const undurable = (this.#underWay[0] as UnderWay).batch;
    let count = 0;
    for (const { number, batch, record, held } of this.#runs) {
      if (held > 0 || batch >= undurable) break;
      writes.push({ key: runKey(number), value: null });
      this.#bytes -= record.length;
      count++;
    }
    this.#runs.splice(0, count);
  }

  #move(underWay: UnderWay, writes: StorageWrite[]): void {
    if (this.#sweep === null && this.#bytes > this.#bytesMax * sweepsFrom) this.#sweep = this.#newSweep();
    const sweep = this.#sweep;
    if (sweep === null) return;
    const bytes = underWay.runs.reduce((sum, { record }) => sum + record.length, 0);
    sweep.bytesLeft -= bytes;
    // However many keys still come to lie ahead of it: what lies behind and holds up the oldest run has to have its turn.
    const isEnd = sweep.bytesLeft <= 0;
    sweep.owed = isEnd ? sweep.ahead : sweep.owed + (sweep.ahead - sweep.owed) * (bytes / (sweep.bytesLeft + bytes));
    const count = isEnd ? sweep.ahead : Math.floor(Math.min(sweep.owed, Math.max(movedPerBatchMin, sweep.owed / 4)));
    sweep.owed -= count;
    sweep.ahead -= count;
    const keys = this.#order.take(sweep.from, count);
    const kept: string[] = [];
    for (const key of keys) {
      const held = this.#held.get(key);
      if (held === undefined) continue;
      if (this.#isUnderWay(key)) {
        kept.push(key);
        continue;
      }
      writes.push({ key, value: viewOf(held) });
      underWay.moved.push(key);
    }
    sweep.from = `${keys.at(-1) ?? sweep.from}\0`;
    for (const key of kept) this.#order.add(key);
    if (sweep.ahead < 1) this.#sweep = null;
  }

  #newSweep(): Sweep {
    const room = this.#bytesMax * (1 - sweepsFrom);
    // A life that had another limit may have left more.
    const bytesLeft = Math.max(room, this.#bytes / 2);
    return { from: '', ahead: this.#order.size, bytesLeft, owed: 0 };
  }
}

/** True: nothing of the key was held before. */
function hold(held: OrderedMap<Held>, key: string, value: Held): boolean {
  value.run.held++;
  const entry = held.get(key);
  if (entry === undefined) {
    held.set(key, value);
    return true;
  }
  entry.run.held--;
  entry.run = value.run;
  entry.start = value.start;
  entry.length = value.length;
  return false;
}

function release(held: OrderedMap<Held>, key: string): void {
  const entry = held.get(key);
  if (entry === undefined) return;
  entry.run.held--;
  held.delete(key);
}

function viewOf({ run: { record }, start, length }: Held): Uint8Array | null {
  return start < 0 ? null : new Uint8Array(record.buffer, record.byteOffset + start, length);
}

/** Kinds of records of the state differ in generation and letter (`s/PPPP/G/k`, see `keys.ts`); all others are one. */
const kindCount = 256;

function kindOf(key: string): number {
  return key.charCodeAt(0) === 0x73 ? ((key.charCodeAt(7) & 1) << 7) | (key.charCodeAt(9) & 127) : 0;
}

function scanHeld(held: OrderedMap<Held>, tree: StorageReader, range: StorageRange): Iterable<StorageRecord> {
  return scanOver(tree, range, held.range(range.from, range.to), (key) => {
    const own = held.get(key);
    return own === undefined ? (tree.get(key) ?? null) : viewOf(own);
  });
}

function* decodeRun(record: Uint8Array): Iterable<{
  readonly key: string;
  readonly value: RunValue;
  /** Of the value in the record; -1: there is none. */
  readonly start: number;
}> {
  const reader = new ByteReader(record);
  while (reader.remaining > 0) {
    const key = reader.text();
    const kind = reader.u8();
    assert(kind <= 2, 'a run says of a key that it is deleted, in the tree, or its value', { kind });
    const value = kind === 0 ? null : kind === 1 ? inTree : reader.bytes();
    yield { key, value, start: kind === 2 ? record.length - reader.remaining - (value as Uint8Array).length : -1 };
  }
}

/** A batch as it would be without runs, for who watches what a node writes: records that only move are in it again. */
export function withoutRuns(writes: readonly StorageWrite[]): readonly StorageWrite[] {
  if (!writes.some(({ key, value }) => key.startsWith(runsFrom) && value !== null)) return writes;
  const plain: StorageWrite[] = [];
  for (const write of writes) {
    if (!write.key.startsWith(runsFrom)) plain.push(write);
    else if (write.value !== null)
      for (const { key, value } of decodeRun(write.value)) if (value !== inTree) plain.push({ key, value });
  }
  return plain;
}

interface Loaded {
  readonly held: OrderedMap<Held>;
  readonly runs: Run[];
  readonly runOfKind: number[];
}

function load(tree: Pick<StorageSource, 'scan'>): Loaded {
  const held: OrderedMap<Held> = new OrderedMap();
  const runs: Run[] = [];
  const runOfKind: number[] = Array.from({ length: kindCount }, () => 0);
  for (const { key: storageKey, value } of tree.scan({ from: runsFrom, to: runsTo })) {
    const number = Number.parseInt(storageKey.slice(runsFrom.length), 16);
    assert(number > (runs.at(-1)?.number ?? 0), 'runs come in order', { number });
    // Storage's own memory does not stay as it is.
    const run = { number, batch: 0, record: value.slice(), held: 0 };
    for (const { key, value, start } of decodeRun(run.record)) {
      runOfKind[kindOf(key)] = number;
      if (value === inTree) release(held, key);
      else hold(held, key, { run, start, length: value?.length ?? 0 });
    }
    runs.push(run);
  }
  return { held, runs, runOfKind };
}
