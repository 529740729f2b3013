import { assert, assertPresent, ByteReader, ByteWriter, compareText } from '@skerry/base';
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

/** Where a value lies, rather than a view of it: tens of thousands of these live for seconds, and a view is a heavy object. */
interface Held {
  /** null: deleted. */
  buffer: ArrayBufferLike | null;
  start: number;
  length: number;
  run: Run;
}

interface Run {
  readonly number: number;
  /** That carries it; 0: it was there at the start. */
  readonly batch: number;
  readonly bytes: number;
  /** Records of it that are held. */
  held: number;
}

/** What a batch that is not durable yet will change. */
interface UnderWay {
  readonly batch: number;
  readonly lazy: LazyWrites;
  /** Its runs, and how many entries of `lazy` come before the end of each. */
  readonly runs: readonly Run[];
  readonly ends: readonly number[];
  /** Keys moved into the tree. No batch up to this one says anything newer of them. */
  readonly moved: string[];
}

/** A run is one storage record of about this size: large ones need pages side by side, which LMDB has to look for. */
const runBytes = 32 * 1_024;
/** Of a larger value a second copy costs more than a page of the tree. */
const valueBytesMax = 4 * 1_024;
/** Records moved with one batch: it makes the batch's sync longer. */
const movedPerBatch = 64;
const movedPerBatchBehind = 512;
/** Above so many times the space that runs should take, a batch moves as many as it brings, too: they must not grow for ever. */
const farBehind = 4;

/**
 * The applied state in two layers, in the manner of a log-structured merge tree (O'Neil et al. 1996, section 2): a B+ tree
 * copies a page of 4 KiB for each small record that changes somewhere in it, so changes are written as dense *runs* first,
 * are held in memory, and move into the tree when the runs take more than `bytesMax`; what was overwritten by then never does.
 * Under large batches they may take about four times as much.
 * After a restart the runs, read in order, are what was held.
 *
 * Each change of this layer is part of a batch of its owner, so it is atomic with whatever else that batch says. Reads see
 * durable batches only, as the storage port demands. Runs go oldest first; a record that is newer in a later run need not move.
 */
export class RunStore implements StorageSource {
  readonly #tree: StorageSource;
  readonly #bytesMax: number;
  /** The newest durable value of each key that stands in a run and may not stand in the tree. */
  readonly #held: OrderedMap<Held>;
  /** Durable or under way, oldest first. */
  readonly #runs: Run[];
  readonly #underWay: UnderWay[] = [];
  /** What is left to move of the oldest run, in key order. */
  #moving: { readonly run: Run; readonly keys: readonly string[]; at: number } | null = null;
  #bytes: number;
  #nextRun: number;

  constructor(tree: StorageSource, bytesMax: number) {
    this.#tree = tree;
    this.#bytesMax = bytesMax;
    const { held, runs } = load(tree);
    this.#held = held;
    this.#runs = runs;
    this.#bytes = runs.reduce((bytes, run) => bytes + run.bytes, 0);
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
      if (!lazy.has(key) && this.#isInRun(key)) lazy.set(key, inTree);
    }
    const ends: number[] = [];
    const runs: Run[] = [];
    let writer: ByteWriter | null = null;
    let count = 0;
    const end = (): void => {
      if (writer === null) return;
      const record = writer.finish();
      const run = { number: this.#nextRun++, batch, bytes: record.length, held: 0 };
      writes.push({ key: runKey(run.number), value: record });
      runs.push(run);
      this.#runs.push(run);
      this.#bytes += run.bytes;
      ends.push(count);
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
      if (value === null || value === inTree) writer.u8(value === null ? 0 : 1);
      else writer.u8(2).bytes(value);
      count++;
      if (writer.length >= runBytes) end();
    }
    end();
    const underWay: UnderWay = { batch, lazy, runs, ends, moved: [] };
    this.#underWay.push(underWay);
    if (this.#bytes > this.#bytesMax) this.#move(underWay, writes);
    return writes;
  }

  /** Batches up to `batch` are durable. */
  durable(batch: number): void {
    for (;;) {
      const oldest = this.#underWay[0];
      if (oldest === undefined || oldest.batch > batch) return;
      this.#underWay.shift();
      let count = 0;
      let run = 0;
      for (const [key, value] of oldest.lazy) {
        if (count++ >= (oldest.ends[run] as number)) run++;
        if (value === inTree) release(this.#held, key);
        else hold(this.#held, key, value, oldest.runs[run] as Run);
      }
      for (const key of oldest.moved) release(this.#held, key);
    }
  }

  #isInRun(key: string): boolean {
    return this.#held.get(key) !== undefined || this.#isUnderWay(key);
  }

  #isUnderWay(key: string): boolean {
    return this.#underWay.some(({ lazy }) => lazy.has(key));
  }

  #move(underWay: UnderWay, writes: StorageWrite[]): void {
    let left = this.#bytes > this.#bytesMax * 1.25 ? movedPerBatchBehind : movedPerBatch;
    if (this.#bytes > this.#bytesMax * farBehind) left += underWay.lazy.size;
    while (left > 0 && this.#bytes > this.#bytesMax) {
      const oldest = this.#runs[0];
      // What is held is what is durable, so only of a durable run is it known which of its records must move.
      if (oldest === undefined || oldest.batch >= (this.#underWay[0] as UnderWay).batch) return;
      this.#moving ??= { run: oldest, keys: oldest.held === 0 ? [] : this.#keysOf(oldest), at: 0 };
      const { keys } = this.#moving;
      while (left > 0 && this.#moving.at < keys.length) {
        const key = keys[this.#moving.at++] as string;
        const held = this.#held.get(key);
        if (held?.run !== oldest || this.#isUnderWay(key)) continue;
        writes.push({ key, value: viewOf(held) });
        underWay.moved.push(key);
        left--;
      }
      if (this.#moving.at < keys.length) return;
      this.#moving = null;
      writes.push({ key: runKey(oldest.number), value: null });
      this.#runs.shift();
      this.#bytes -= oldest.bytes;
    }
  }

  /** Keys of the records of that run that are still held, in order. */
  #keysOf(run: Run): string[] {
    const { number } = run;
    const record = assertPresent(this.#tree.get(runKey(number)), 'a durable run is in storage', { number });
    const keys: string[] = [];
    for (const { key } of decodeRun(record)) if (this.#held.get(key)?.run === run) keys.push(key);
    return keys.sort(compareText);
  }
}

function hold(held: OrderedMap<Held>, key: string, value: Uint8Array | null, run: Run): void {
  let entry = held.get(key);
  if (entry === undefined) held.set(key, (entry = { buffer: null, start: 0, length: 0, run }));
  else entry.run.held--;
  run.held++;
  entry.buffer = value?.buffer ?? null;
  entry.start = value?.byteOffset ?? 0;
  entry.length = value?.length ?? 0;
  entry.run = run;
}

function release(held: OrderedMap<Held>, key: string): void {
  const entry = held.get(key);
  if (entry === undefined) return;
  entry.run.held--;
  held.delete(key);
}

function viewOf({ buffer, start, length }: Held): Uint8Array | null {
  return buffer === null ? null : new Uint8Array(buffer, start, length);
}

function scanHeld(held: OrderedMap<Held>, tree: StorageReader, range: StorageRange): Iterable<StorageRecord> {
  return scanOver(tree, range, held.range(range.from, range.to), (key) => {
    const own = held.get(key);
    return own === undefined ? (tree.get(key) ?? null) : viewOf(own);
  });
}

function* decodeRun(record: Uint8Array): Iterable<{ readonly key: string; readonly value: RunValue }> {
  const reader = new ByteReader(record);
  while (reader.remaining > 0) {
    const key = reader.text();
    const kind = reader.u8();
    assert(kind <= 2, 'a run says of a key that it is deleted, in the tree, or its value', { kind });
    yield { key, value: kind === 0 ? null : kind === 1 ? inTree : reader.bytes() };
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

function load(tree: Pick<StorageSource, 'scan'>): { held: OrderedMap<Held>; runs: Run[] } {
  const held: OrderedMap<Held> = new OrderedMap();
  const runs: Run[] = [];
  for (const { key: storageKey, value: record } of tree.scan({ from: runsFrom, to: runsTo })) {
    const number = Number.parseInt(storageKey.slice(runsFrom.length), 16);
    assert(number > (runs.at(-1)?.number ?? 0), 'runs come in order', { number });
    const run = { number, batch: 0, bytes: record.length, held: 0 };
    // Storage's own memory does not stay as it is.
    for (const { key, value } of decodeRun(record.slice())) {
      if (value === inTree) release(held, key);
      else hold(held, key, value, run);
    }
    runs.push(run);
  }
  return { held, runs };
}
