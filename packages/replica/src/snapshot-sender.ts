import type { NodeId, PartitionId } from '@skerry/base';
import type { SnapshotMeta } from '@skerry/raft';
import { raftKeys, stateKeys } from './keys.ts';
import type { StorageRecord, StorageSource, StorageView } from './ports/storage.ts';
import { decodeHeader } from './state/header.ts';
import type { Turn } from './turn.ts';

interface Transfer {
  readonly id: number;
  readonly term: number;
  readonly meta: SnapshotMeta;
  readonly view: StorageView;
  readonly records: Iterator<StorageRecord>;
  nextNumber: number;
  acknowledged: number;
  lastSent: boolean;
  lastProgressMs: number;
}

const chunksInFlightMax = 4;
const stalledMs = 10_000;

/** Streams the applied state of a partition, as of one moment, to nodes that lag behind the log (section 7). */
export class SnapshotSender {
  readonly #turn: Turn;
  readonly #partition: PartitionId;
  readonly #storage: StorageSource;
  readonly #onEnd: (to: NodeId, ok: boolean) => void;
  readonly #transfers: Map<NodeId, Transfer> = new Map();
  #nextId = 1;
  #prefix = '';

  constructor(options: {
    turn: Turn;
    partition: PartitionId;
    storage: StorageSource;
    onEnd: (to: NodeId, ok: boolean) => void;
  }) {
    this.#turn = options.turn;
    this.#partition = options.partition;
    this.#storage = options.storage;
    this.#onEnd = options.onEnd;
  }

  /** Durable state, as it would be sent now. */
  newest(): SnapshotMeta | null {
    return readMeta(this.#storage, this.#partition)?.meta ?? null;
  }

  start(to: NodeId, term: number): void {
    this.#drop(to);
    const view = this.#storage.view();
    const found = readMeta(view, this.#partition);
    if (found === null) {
      view.close();
      this.#onEnd(to, false);
      return;
    }
    const { keys, meta } = found;
    this.#prefix = keys.from;
    this.#transfers.set(to, {
      id: this.#nextId++,
      term,
      meta,
      view,
      records: view.scan({ from: keys.from, to: keys.to })[Symbol.iterator](),
      nextNumber: 0,
      acknowledged: -1,
      lastSent: false,
      lastProgressMs: this.#turn.now.monoMs,
    });
    this.#pump(to);
  }

  acknowledged(from: NodeId, transfer: number, number: number): void {
    const current = this.#transfers.get(from);
    if (current === undefined || current.id !== transfer) return;
    if (number < 0) {
      this.#end(from, false);
      return;
    }
    current.acknowledged = Math.max(current.acknowledged, number);
    current.lastProgressMs = this.#turn.now.monoMs;
    if (current.lastSent && current.acknowledged === current.nextNumber - 1) this.#end(from, true);
    else this.#pump(from);
  }

  tick(): void {
    for (const [to, transfer] of this.#transfers) {
      if (this.#turn.now.monoMs - transfer.lastProgressMs > stalledMs) this.#end(to, false);
    }
  }

  peerDown(to: NodeId): void {
    if (this.#transfers.has(to)) this.#end(to, false);
  }

  stop(): void {
    for (const to of [...this.#transfers.keys()]) this.#end(to, false);
  }

  get activeCount(): number {
    return this.#transfers.size;
  }

  #pump(to: NodeId): void {
    const transfer = this.#transfers.get(to);
    if (transfer === undefined) return;
    while (!transfer.lastSent && transfer.nextNumber - transfer.acknowledged <= chunksInFlightMax) {
      const records: { key: string; value: Uint8Array }[] = [];
      let bytes = 0;
      while (bytes < this.#turn.options.limits.snapshotChunkBytes) {
        const { done, value: record } = transfer.records.next();
        if (done) {
          transfer.lastSent = true;
          break;
        }
        const key = record.key.slice(this.#prefix.length);
        // The feed is this node's own past: a node that starts from a snapshot has no older changes to tell.
        if (key.startsWith('f/')) continue;
        records.push({ key, value: record.value.slice() });
        bytes += key.length + record.value.length;
      }
      this.#turn.send(to, {
        kind: 'chunk',
        partition: this.#partition,
        term: transfer.term,
        meta: transfer.meta,
        transfer: transfer.id,
        number: transfer.nextNumber++,
        last: transfer.lastSent,
        records,
      });
    }
  }

  #end(to: NodeId, ok: boolean): void {
    this.#drop(to);
    this.#onEnd(to, ok);
  }

  #drop(to: NodeId): void {
    this.#transfers.get(to)?.view.close();
    this.#transfers.delete(to);
  }
}

function readMeta(
  storage: Pick<StorageSource, 'get'>,
  partition: PartitionId,
): { meta: SnapshotMeta; keys: ReturnType<typeof stateKeys> } | null {
  const keys = stateKeys(partition, storage.get(raftKeys(partition).generation)?.[0] ?? 0);
  const record = storage.get(keys.header);
  if (record === undefined) return null;
  const header = decodeHeader(record);
  return {
    meta: {
      index: header.applied as SnapshotMeta['index'],
      term: header.term as SnapshotMeta['term'],
      config: header.config,
    },
    keys,
  };
}
