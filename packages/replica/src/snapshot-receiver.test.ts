import { nodeId, partitionId, regionId, replicaId, SeededRandom } from '@skerry/base';
import { logIndex, simpleConfig, term } from '@skerry/raft';
import { expect, it } from 'vitest';
import { stateKeys } from './keys.ts';
import { MemoryStorage } from './ports/memory-storage.ts';
import { defaultLimits, defaultTiming } from './replica-api.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import { StagedStore } from './staged-store.ts';
import { Turn } from './turn.ts';

const sender = nodeId('n1');
const receiverName = nodeId('n2');
const partition = partitionId(0);

/** Found by the simulator, seeds 1035, 1091, 1172 and 1187. */
it('takes nothing into a snapshot from a transfer that broke off before it', () => {
  const options = {
    node: receiverName,
    region: regionId('r'),
    replica: replicaId(2),
    partitionCount: 1,
    bootstrap: null,
    regions: [],
    linkHasLog: false,
    urls: { peerUrl: '', clientUrl: '', adminUrl: '' },
    random: new SeededRandom(1),
    timing: defaultTiming,
    limits: defaultLimits,
  };
  const storage = new MemoryStorage();
  const store = new StagedStore(storage);
  const turn = new Turn(options, store, { wallMs: 0, monoMs: 0 });
  const receiver = new SnapshotReceiver({ turn, partition, activeGeneration: 0, onComplete: () => true });
  const receive = (transfer: number, key: string, last: boolean): readonly unknown[] => {
    const meta = { index: logIndex(5), term: term(1), config: simpleConfig([sender, receiverName]) };
    receiver.receive(sender, {
      kind: 'chunk',
      partition,
      term: 1,
      meta,
      transfer,
      number: 0,
      last,
      records: [{ key, value: Uint8Array.of(1) }],
    });
    const batch = store.takeBatch();
    if (batch !== null) {
      storage.enqueue(batch.writes);
      storage.flushOne();
      turn.durable(batch.id);
    }
    return turn.takeMessages().get(sender) ?? [];
  };
  receiver.tick();
  expect(receive(1, 'k/gone', false)).toMatchObject([{ kind: 'chunked', number: 0 }]);
  expect(receive(2, 'k/there', true)).toMatchObject([{ kind: 'chunked', number: -1 }]);
  receiver.tick();
  expect(receive(3, 'k/there', true)).toMatchObject([{ kind: 'chunked', number: 0 }]);
  const { from, to } = stateKeys(partition, 1);
  expect(Array.from(store.scan({ from, to }), ({ key }) => key.slice(from.length))).toEqual(['k/there']);
});
