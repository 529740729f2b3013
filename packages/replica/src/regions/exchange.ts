import { compareText, ByteWriter, type RegionId, type ReplicaId } from '@skerry/base';
import {
  compareStamps,
  encodeValue,
  isTombstone,
  stampMax,
  valueDigest,
  valueStamp,
  type Digest,
  type Stamp,
} from '@skerry/crdt';
import type { Partition } from '../partition.ts';
import { bucketOf } from '../state/digests.ts';
import { commandBytes, type Command } from '../state/command.ts';
import { decodeKeyRecord } from '../state/key-record.ts';
import { takenPositions, type OriginPosition } from '../state/region-log.ts';
import type { StateMachine } from '../state/state-machine.ts';
import type { LinkMessage } from './link-message.ts';

/** One page of an answer: keys looked at, keys told, bytes of values. */
const scanCountMax = 20_000;
const keyCountMax = 2_000;
const valueBytesMax = 1_024 * 1_024;
const commandBytesMax = 512 * 1_024;
/** An exchange that does not come along is given up; the reason for it will show again. */
const giveUpMs = 20_000;

/**
 * - replace: the other side's values take the place of the own ones: re-seeding.
 * - restore: likewise after the own state was put back to an older one, but what was written since is kept: values are
 *   merged, and a key that the other side lacks goes only if it may have been deleted and forgotten there.
 *
 * In the order in which a later one takes the place of one that is running.
 */
const modes = ['merge', 'restore', 'replace'] as const;
export type ExchangeMode = (typeof modes)[number];

type Digests = Extract<LinkMessage, { kind: 'digests' }>;

interface Running {
  /** Names the questions, so that late answers to earlier ones are known for what they are. */
  number: number;
  readonly with: RegionId;
  readonly mode: ExchangeMode;
  digests: Digests | null;
  buckets: readonly number[];
  /** Keys were compared up to here. */
  after: string;
  /** null: this was the last page. */
  next: string | null;
  /** Keys of the page whose values are wanted. */
  wanted: string[];
  /** Forgotten deletes are known up to here; null: all, or none is wanted. */
  graves: string | null;
  /** Commands that the leader's queue did not take. */
  queued: Uint8Array[];
  /** All pages are through, and the other side is asked what it has collected meanwhile. */
  closing: boolean;
  askedMs: number;
  progressMs: number;
  readonly sinceMs: number;
  merged: number;
}

/**
 * State exchange (DESIGN section 4): the leader compares digests with another region's, then keys of the buckets that
 * differ, and merges the values of the keys that differ. At the end everything that the other region had applied when it
 * began is here, so its positions and context are adopted. Pulls only: the other region does the same the other way.
 * Tombstones come from all buckets: they count as nothing in the sums, and the entries that made them are skipped.
 */
export class Exchange {
  readonly #partition: Partition;
  readonly #send: (to: RegionId, message: LinkMessage) => void;
  readonly #onAdopted: () => void;
  #running: Running | null = null;
  #count = 0;
  #finishedMs = Number.NEGATIVE_INFINITY;
  #done = 0;
  #merged = 0;

  constructor(partition: Partition, send: (to: RegionId, message: LinkMessage) => void, onAdopted: () => void) {
    this.#partition = partition;
    this.#send = send;
    this.#onAdopted = onAdopted;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  get doneCount(): number {
    return this.#done;
  }

  get mergedCount(): number {
    return this.#merged;
  }

  /** Nothing happens if one is under way, or what the last one merged may not have been applied yet. */
  begin(region: RegionId, mode: ExchangeMode = 'merge'): void {
    const {
      now: { monoMs },
      options,
    } = this.#partition.turn;
    // What was to be merged is not, once the state is replaced; and who has not answered may not be able to.
    const { mode: before, digests, sinceMs } = this.#running ?? { mode, digests: null, sinceMs: 0 };
    const givesWay =
      modes.indexOf(mode) > modes.indexOf(before) ||
      (digests === null && region !== this.#running?.with && monoMs - sinceMs > 5 * options.timing.linkRetryMs);
    if (this.#running !== null ? !givesWay : monoMs - this.#finishedMs < options.timing.linkRetryMs) return;
    this.#running = {
      number: this.#nextNumber(),
      with: region,
      mode,
      digests: null,
      buckets: [],
      after: '',
      next: '',
      wanted: [],
      graves: mode === 'merge' ? null : '',
      queued: [],
      closing: false,
      askedMs: monoMs,
      progressMs: monoMs,
      sinceMs: monoMs,
      merged: 0,
    };
    this.#ask();
  }

  clear(): void {
    this.#running = null;
  }

  regionGone(region: RegionId): void {
    if (this.#running?.with === region) this.#running = null;
  }

  receive(from: RegionId, message: Extract<LinkMessage, { kind: 'digests' | 'keys' | 'values' | 'graves' }>): void {
    const running = this.#running;
    if (running === null || running.with !== from || running.number !== message.exchange) return;
    if (running.digests !== null && !isAtLeast(message.positions, running.digests.positions)) {
      // That state was replaced or put back meanwhile: what it was known to hold is not in what it tells now.
      this.#running = null;
      return;
    }
    switch (message.kind) {
      case 'digests':
        return this.#onDigests(running, message);
      case 'keys':
        return this.#onKeys(running, message);
      case 'values':
        return this.#onValues(running, message);
      case 'graves':
        return this.#onGraves(running, message);
    }
  }

  tick(): void {
    const running = this.#running;
    if (running === null) return;
    const { now, options } = this.#partition.turn;
    const { regions } = this.#partition.state;
    // It was evicted meanwhile: from now on nothing waits for it, and what it told may be forgotten before it is merged.
    if (running.mode === 'merge' && regions.isOut(running.with) && !regions.isSeeding(running.with)) {
      this.#running = null;
      return;
    }
    if (running.queued.length > 0) return this.#drain(running);
    if (now.monoMs - running.progressMs > giveUpMs) this.#running = null;
    else if (now.monoMs - running.askedMs > options.timing.linkRetryMs) this.#ask();
  }

  /** Another region's side of the same: answers from the state as it is. */
  answer(
    from: RegionId,
    message: Extract<LinkMessage, { kind: 'digestsAsk' | 'keysAsk' | 'valuesAsk' | 'gravesAsk' }>,
  ): void {
    const { state } = this.#partition;
    const { exchange } = message;
    if (state.regions.isSilent()) return;
    switch (message.kind) {
      case 'digestsAsk': {
        this.#send(from, {
          kind: 'digests',
          exchange,
          sums: state.values.digests.encode(),
          positions: state.regions.list(),
          context: state.header.context.clone(),
          takenAway: state.header.takenAway.clone(),
          reseededFor: state.header.reseededFor,
          collected: state.header.collected,
          buried: state.header.graves.floor,
          out: state.regions.out(),
        });
        return;
      }
      case 'keysAsk': {
        const page = readKeys(this.#partition, message.after, new Set(message.buckets));
        this.#send(from, { kind: 'keys', exchange, positions: state.regions.list(), after: message.after, ...page });
        return;
      }
      case 'valuesAsk': {
        const values: { key: string; value: Uint8Array | null }[] = [];
        let bytes = 0;
        for (const key of message.keys) {
          const record = state.read(key);
          const writer = new ByteWriter(256);
          if (record !== null) encodeValue(writer, record.value);
          const value = record === null ? null : writer.finish();
          values.push({ key, value });
          bytes += key.length + (value?.length ?? 0);
          if (bytes > valueBytesMax) break;
        }
        this.#send(from, { kind: 'values', exchange, positions: state.regions.list(), values });
        return;
      }
      case 'gravesAsk':
        this.#send(from, {
          kind: 'graves',
          exchange,
          positions: state.regions.list(),
          after: message.after,
          ...readGraves(state, message.after),
        });
    }
  }

  #ask(): void {
    const running = this.#running;
    if (running === null) return;
    running.askedMs = this.#partition.turn.now.monoMs;
    const { number: exchange } = running;
    if (running.digests === null || running.closing) {
      const { regions, header } = this.#partition.state;
      const { reseededFor } = header;
      this.#send(running.with, { kind: 'digestsAsk', exchange, origin: regions.knownAs(), reseededFor });
    } else if (running.wanted.length > 0)
      this.#send(running.with, { kind: 'valuesAsk', exchange, keys: running.wanted });
    else if (running.next === null && running.graves !== null)
      this.#send(running.with, { kind: 'gravesAsk', exchange, after: running.graves });
    else this.#send(running.with, { kind: 'keysAsk', exchange, after: running.after, buckets: running.buckets });
  }

  /** Answers to an exchange of an earlier leader, or of this one before a restart, must not be taken for this one's. */
  #nextNumber(): number {
    return this.#partition.currentTerm * 1_000_000 + (++this.#count % 1_000_000);
  }

  #onDigests(running: Running, message: Digests): void {
    if (running.closing) return this.#close(running, message);
    if (running.digests !== null) return;
    const buckets = this.#partition.state.values.digests.differing(message.sums);
    if (buckets === null) {
      this.#running = null;
      return;
    }
    // Without the sums, which are a view of a frame.
    running.digests = { ...message, sums: new Uint8Array(0) };
    running.buckets = buckets;
    this.#moved(running);
    this.#goOn(running);
  }

  #onKeys(running: Running, { after, keys, next }: Extract<LinkMessage, { kind: 'keys' }>): void {
    if (running.digests === null || running.wanted.length > 0 || after !== running.after) return;
    // A page that ends before it begins would never end.
    if (next !== null && compareText(next, after) <= 0) return;
    running.next = next;
    running.wanted = keys.filter(({ key, digest }) => this.#differs(key, digest)).map(({ key }) => key);
    if (running.mode !== 'merge') {
      const { collected } = running.digests;
      const theirs = new Set(keys.map(({ key }) => key));
      const lacking = ownKeys(this.#partition, { after, until: next, buckets: new Set(running.buckets) }).filter(
        (key) => !theirs.has(key),
      );
      const drops = running.mode === 'replace' ? lacking : lacking.filter((key) => this.#isUpTo(key, collected));
      if (drops.length > 0)
        running.queued.push(
          replaceCommand(
            { positions: new Map(), context: running.digests.context },
            drops.map((key) => ({ key, value: null })),
          ),
        );
    }
    this.#moved(running);
    this.#drain(running);
  }

  #onValues(running: Running, { values, positions: told }: Extract<LinkMessage, { kind: 'values' }>): void {
    const { digests } = running;
    if (digests === null || values.length === 0 || values.some(({ key }, index) => key !== running.wanted[index]))
      return;
    // Not those of the digests: a tombstone among the values may be of an entry that comes after them.
    // Read before what that region has reported since: what was deleted may be forgotten here on its word. It is asked again.
    const positions = positionMap(told);
    if (running.mode === 'merge' && !this.#partition.state.regions.isCovered(running.with, takenPositions(told)))
      return;
    running.wanted = running.wanted.slice(values.length);
    const { context } = digests;
    let part: { key: string; value: Uint8Array }[] = [];
    let bytes = 0;
    const queue = (): void => {
      if (part.length > 0 && running.mode === 'replace')
        running.queued.push(replaceCommand({ positions, context }, part));
      else if (part.length > 0)
        running.queued.push(commandBytes({ kind: 'mergeValues', region: running.with, positions, values: part }));
      part = [];
      bytes = 0;
    };
    for (const { key, value } of values) {
      if (value === null) {
        // Its tombstone was collected since the page was told, and no other region waits for this one to hear of it.
        if (running.mode === 'replace') running.queued.push(replaceCommand({ positions, context }, [{ key, value }]));
        continue;
      }
      if (bytes + value.length > commandBytesMax) queue();
      part.push({ key, value });
      bytes += key.length + value.length;
      running.merged++;
    }
    queue();
    this.#moved(running);
    this.#drain(running);
  }

  #onGraves(running: Running, { after, graves, next }: Extract<LinkMessage, { kind: 'graves' }>): void {
    const { digests } = running;
    if (digests === null || after !== running.graves || (next !== null && compareText(next, after) <= 0)) return;
    running.graves = next;
    const { context } = digests;
    if (graves.length > 0)
      running.queued.push(commandBytes({ kind: 'replaceValues', positions: new Map(), context, values: [], graves }));
    this.#moved(running);
    this.#drain(running);
  }

  #drain(running: Running): void {
    while (running.queued.length > 0) {
      if (!this.#partition.proposals.add(running.queued[0] as Uint8Array, null)) return;
      running.queued.shift();
    }
    running.progressMs = this.#partition.turn.now.monoMs;
    this.#goOn(running);
  }

  #goOn(running: Running): void {
    if (running.wanted.length > 0) return this.#ask();
    if (running.next !== null) {
      running.after = running.next;
      return this.#ask();
    }
    const { digests } = running;
    if (digests === null) {
      this.#running = null;
      return;
    }
    if (running.mode === 'merge') return this.#adopt(running, digests);
    if (running.graves !== null) return this.#ask();
    // What the other side collected since the beginning is in no page: while this region was out, nobody waited for it.
    running.closing = true;
    running.number = this.#nextNumber();
    this.#ask();
  }

  #close(running: Running, { collected, buried, reseededFor }: Digests): void {
    const { digests, mode } = running;
    if (digests === null) return;
    if (compareStamps(reseededFor, digests.reseededFor) !== 0) {
      // That state was replaced meanwhile, by one that had applied as much: the pages were of both.
      this.#running = null;
      return;
    }
    if (mode === 'restore' && compareStamps(collected, digests.collected) > 0) {
      // Keys were kept for being newer than what had been collected by then: once more, from the start.
      this.#running = null;
      return this.begin(running.with, mode);
    }
    this.#adopt(running, {
      ...digests,
      collected: stampMax(collected, digests.collected),
      buried: stampMax(buried, digests.buried),
    });
  }

  #adopt(running: Running, digests: Digests): void {
    this.#running = null;
    // Behind the merges in the same log: whoever applies this has applied them.
    const adopt = commandBytes({
      kind: 'adopt',
      origins: digests.positions,
      context: digests.context,
      takenAway: digests.takenAway,
      collected: digests.collected,
      buried: digests.buried,
      replaces: running.mode !== 'merge',
      out: digests.out,
    });
    if (!this.#partition.proposals.add(adopt, null)) return;
    this.#done++;
    this.#finishedMs = this.#partition.turn.now.monoMs;
    this.#merged += running.merged;
    this.#onAdopted();
  }

  #moved(running: Running): void {
    running.progressMs = this.#partition.turn.now.monoMs;
  }

  #isUpTo(key: string, stamp: Stamp): boolean {
    const own = this.#partition.state.read(key);
    return own !== null && compareStamps(valueStamp(own.value), stamp) <= 0;
  }

  #differs(key: string, digest: Digest): boolean {
    // A tombstone: what it buried may still be on its way here, and be newer than an own one.
    if (digest.high === 0 && digest.low === 0) return true;
    const own = this.#partition.state.read(key);
    if (own === null) return true;
    const { high, low } = valueDigest(key, own.value);
    return high !== digest.high || low !== digest.low;
  }
}

function replaceCommand(
  had: Pick<Extract<Command, { kind: 'replaceValues' }>, 'positions' | 'context'>,
  values: readonly { readonly key: string; readonly value: Uint8Array | null }[],
): Uint8Array {
  return commandBytes({ kind: 'replaceValues', ...had, values, graves: [] });
}

function isAtLeast(positions: readonly OriginPosition[], others: readonly OriginPosition[]): boolean {
  const map = positionMap(positions);
  return others.every(({ origin, applied }) => (map.get(origin) ?? 0) >= applied);
}

function positionMap(positions: readonly OriginPosition[]): Map<ReplicaId, number> {
  return new Map(positions.map(({ origin, applied }) => [origin, applied] as const));
}

/** Keys above `after`, up to `until` (null: to the end): those of these buckets, and tombstones, which no sum counts. */
function ownKeys(
  partition: Partition,
  { after, until, buckets }: { after: string; until: string | null; buckets: ReadonlySet<number> },
): string[] {
  const { keys } = partition.state;
  const range = {
    from: after === '' ? keys.userFrom : `${keys.user(after)}\0`,
    to: until === null ? keys.userTo : `${keys.user(until)}\0`,
  };
  return Array.from(partition.turn.store.scan(range), ({ key, value }) => ({
    key: key.slice(keys.userFrom.length),
    value,
  })).flatMap(({ key, value }) =>
    buckets.has(bucketOf(key)) || isTombstone(decodeKeyRecord(value).value) ? [key] : [],
  );
}

/** A page of the keys above `after`: those of these buckets, and tombstones. */
function readKeys(
  partition: Partition,
  after: string,
  buckets: ReadonlySet<number>,
): Pick<Extract<LinkMessage, { kind: 'keys' }>, 'keys' | 'next'> {
  const { keys } = partition.state;
  const found: { key: string; digest: Digest }[] = [];
  let scanned = 0;
  const from = after === '' ? keys.userFrom : `${keys.user(after)}\0`;
  for (const { key: storageKey, value } of partition.turn.store.scan({ from, to: keys.userTo })) {
    const key = storageKey.slice(keys.userFrom.length);
    const record = decodeKeyRecord(value);
    if (buckets.has(bucketOf(key)) || isTombstone(record.value))
      found.push({ key, digest: valueDigest(key, record.value) });
    if (++scanned >= scanCountMax || found.length >= keyCountMax) return { keys: found, next: key };
  }
  return { keys: found, next: null };
}

/** A page of the deletes that are forgotten here while a region is out. */
function readGraves(
  { values: { graves } }: StateMachine,
  after: string,
): Pick<Extract<LinkMessage, { kind: 'graves' }>, 'graves' | 'next'> {
  const names = graves.names(after, keyCountMax);
  const found = names.flatMap((key) => {
    const value = graves.read(key);
    if (value === null) return [];
    const writer = new ByteWriter(64);
    encodeValue(writer, value);
    return [{ key, value: writer.finish() }];
  });
  return { graves: found, next: names.length < keyCountMax ? null : (names.at(-1) ?? null) };
}
