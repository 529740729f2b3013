import type { NodeId } from '@skerry/base';
import type { PeerMessage } from './peer-message.ts';
import type { StorageSource } from './ports/storage.ts';
import type { Effects, Now, ReplicaOptions, RequestHandle } from './replica-api.ts';
import type { ClientRequest, NodeStatus } from './requests.ts';

/** One node's part in all partitions, stepped: events in, {@link Effects} out of {@link flush}. */
export class Replica {
  constructor(_options: ReplicaOptions, _storage: StorageSource, _now: Now) {}
  /** A client asks; exactly one answer comes out of a later flush, except for a watch, which gets many. */
  request(_handle: RequestHandle, _request: ClientRequest, _now: Now): void {}
  /** The asker is gone: no answer is wanted any more. A write that is under way may still be applied. */
  cancel(_handle: RequestHandle): void {}
  receive(_from: NodeId, _message: PeerMessage, _now: Now): void {}
  /** A connection to `node` is up, over which messages can be sent. */
  peerUp(_node: NodeId, _now: Now): void {}
  /** It is gone. `reset`: the other side closed or reset it (its process probably ended), rather than a timeout. */
  peerDown(_node: NodeId, _reset: boolean, _now: Now): void {}
  /** Once per `timing.tickMs`; after a pause of the process, once, not once per missed tick. */
  tick(_now: Now): void {}
  /** Batch `id` and all before it are durable. */
  durable(_id: number, _now: Now): void {}
  setStorageFull(_full: boolean, _now: Now): void {}
  /** What the events since the last flush came to; null if nothing. Call it once per turn of the event loop. */
  flush(_now: Now): Effects | null {
    return null;
  }
  status(): NodeStatus {
    return { node: 'x' as NodeId, partitions: [], storageFull: false, peers: [] };
  }
  /** Counters (names end in `_total`) and gauges, flat; the server exports them with the prefix `skerry_`. */
  metrics(): Readonly<Record<string, number>> {
    return {};
  }
}
