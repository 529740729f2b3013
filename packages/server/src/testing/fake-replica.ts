import type { NodeId, PartitionId, RegionId, ReplicaId } from '@skerry/base';
import type {
  Answer,
  ClientRequest,
  DirectoryEntry,
  Effects,
  LinkEffects,
  LogBatch,
  NodeStatus,
  Now,
  PeerMessage,
  RegionDirectoryEntry,
  RegionStatus,
  RequestHandle,
  Seen,
  StorageWrite,
} from '@skerry/replica';
import type { ReplicaLike } from '../replica-like.ts';

export type FakeEvent =
  | { readonly kind: 'request'; readonly handle: RequestHandle; readonly request: ClientRequest }
  | { readonly kind: 'cancel'; readonly handle: RequestHandle }
  | { readonly kind: 'watchReady'; readonly handle: RequestHandle }
  | { readonly kind: 'receive'; readonly from: NodeId; readonly message: PeerMessage }
  | { readonly kind: 'peerUp'; readonly node: NodeId }
  | { readonly kind: 'peerDown'; readonly node: NodeId; readonly reset: boolean }
  | { readonly kind: 'receiveFrame'; readonly from: RegionId; readonly frame: Uint8Array }
  | { readonly kind: 'receiveEntries'; readonly batch: LogBatch }
  | {
      readonly kind: 'published';
      readonly partition: PartitionId;
      readonly origin: ReplicaId;
      readonly last: number;
    }
  | { readonly kind: 'regionUp'; readonly region: RegionId }
  | { readonly kind: 'regionDown'; readonly region: RegionId }
  | { readonly kind: 'tick' }
  | { readonly kind: 'durable'; readonly id: number }
  | { readonly kind: 'storageFull'; readonly full: boolean }
  | { readonly kind: 'prepareStop' };

/** A replica that writes down what it is told and answers as scripted. Ticks and flushes are counted, not written. */
export class FakeReplica implements ReplicaLike {
  readonly events: FakeEvent[] = [];
  ticks = 0;
  rest = 0;
  flushes = 0;
  /** What a request is answered with in the same turn; null: nothing yet, see {@link answer}. */
  onRequest: (request: ClientRequest, handle: RequestHandle) => Answer | null = () => null;
  /** Thrown by the next call of any method. */
  failure: Error | null = null;
  nodeStatus: NodeStatus = { node: 'fake' as NodeId, partitions: [], storageFull: false, peers: [] };
  numbers: Record<string, number> = {};
  clusterMs = 1_700_000_000_000;
  regionStatus: RegionStatus[] = [];
  conflicts: ReturnType<ReplicaLike['conflictCounts']> = [];
  applied: Seen = { version: 0, partitions: [] };
  /** What a watch that is ready is answered with in the same turn; null: nothing. */
  onWatchReady: (handle: RequestHandle) => Answer | null = () => null;
  #batches: Effects['batch'][] = [];
  #messages = new Map<NodeId, PeerMessage[]>();
  #answers: { handle: RequestHandle; answer: Answer }[] = [];
  #directory: readonly DirectoryEntry[] | null = null;
  #regions: readonly RegionDirectoryEntry[] | null = null;
  #link: LinkEffects | null = null;
  #lastBatch = 0;

  request(handle: RequestHandle, request: ClientRequest): void {
    this.#note({ kind: 'request', handle, request });
    const answer = this.onRequest(request, handle);
    if (answer !== null) this.answer(handle, answer);
  }

  cancel(handle: RequestHandle): void {
    this.#note({ kind: 'cancel', handle });
  }

  watchReady(handle: RequestHandle): void {
    this.#note({ kind: 'watchReady', handle });
    const answer = this.onWatchReady(handle);
    if (answer !== null) this.answer(handle, answer);
  }

  receive(from: NodeId, message: PeerMessage): void {
    this.#note({ kind: 'receive', from, message });
  }

  peerUp(node: NodeId): void {
    this.#note({ kind: 'peerUp', node });
  }

  peerDown(node: NodeId, reset: boolean): void {
    this.#note({ kind: 'peerDown', node, reset });
  }

  receiveFrame(from: RegionId, frame: Uint8Array): void {
    this.#note({ kind: 'receiveFrame', from, frame });
  }

  receiveEntries(batch: LogBatch): void {
    this.#note({ kind: 'receiveEntries', batch });
  }

  published(partition: PartitionId, origin: ReplicaId, last: number): void {
    this.#note({ kind: 'published', partition, origin, last });
  }

  regionUp(region: RegionId): void {
    this.#note({ kind: 'regionUp', region });
  }

  regionDown(region: RegionId): void {
    this.#note({ kind: 'regionDown', region });
  }

  restTicks(): number {
    return this.rest;
  }

  tick(_now: Now, count = 1): void {
    this.#throwIfTold();
    this.ticks += count;
  }

  durable(id: number): void {
    this.#note({ kind: 'durable', id });
  }

  setStorageFull(full: boolean): void {
    this.#note({ kind: 'storageFull', full });
  }

  prepareStop(): void {
    this.#note({ kind: 'prepareStop' });
  }

  flush(_now: Now): Effects | null {
    this.#throwIfTold();
    this.flushes++;
    const batch = this.#batches.shift() ?? null;
    const [messages, answers, directory, regions] = [this.#messages, this.#answers, this.#directory, this.#regions];
    const link = this.#link;
    const told = directory !== null || regions !== null || link !== null;
    const idle = batch === null && messages.size === 0 && answers.length === 0 && !told;
    this.#messages = new Map();
    this.#answers = [];
    this.#directory = null;
    this.#regions = null;
    this.#link = null;
    return idle ? null : { batch, messages, answers, directory, link, regions };
  }

  clusterNowMs(): number {
    return this.clusterMs;
  }

  seen(): Seen {
    return this.applied;
  }

  regions(): RegionStatus[] {
    return this.regionStatus;
  }

  conflictCounts(): ReturnType<ReplicaLike['conflictCounts']> {
    return this.conflicts;
  }

  status(): NodeStatus {
    return this.nodeStatus;
  }

  metrics(): Readonly<Record<string, number>> {
    return this.numbers;
  }

  // What the next flush brings.

  answer(handle: RequestHandle, answer: Answer): void {
    this.#answers.push({ handle, answer });
  }

  write(writes: readonly StorageWrite[]): number {
    this.#batches.push({ id: ++this.#lastBatch, writes });
    return this.#lastBatch;
  }

  sendTo(node: NodeId, message: PeerMessage): void {
    const list = this.#messages.get(node) ?? [];
    list.push(message);
    this.#messages.set(node, list);
  }

  announce(directory: readonly DirectoryEntry[]): void {
    this.#directory = directory;
  }

  announceRegions(regions: readonly RegionDirectoryEntry[]): void {
    this.#regions = regions;
  }

  carry(link: LinkEffects): void {
    this.#link = link;
  }

  /** Events of one kind, in order. */
  of<Kind extends FakeEvent['kind']>(kind: Kind): Extract<FakeEvent, { kind: Kind }>[] {
    return this.events.filter((event): event is Extract<FakeEvent, { kind: Kind }> => event.kind === kind);
  }

  #note(event: FakeEvent): void {
    this.#throwIfTold();
    this.events.push(event);
  }

  #throwIfTold(): void {
    const failure = this.failure;
    this.failure = null;
    if (failure !== null) throw failure;
  }
}
