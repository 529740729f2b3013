import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import type { Session } from './session.ts';

export const natsBucket = 'bench';

export async function natsSession(endpoints: readonly string[]): Promise<Session> {
  const connection = await connect({ servers: [...endpoints] });
  const kvm = new Kvm(connection);
  // Any replica may answer a direct get; the other kind goes to the leader of the stream, which does not ask a quorum.
  const byAnyone = await kvm.open(natsBucket, { allow_direct: true });
  const byLeader = await kvm.open(natsBucket, { allow_direct: false });
  const swap: Session['swap'] = async (key, value, read) => {
    try {
      const revision =
        read.value === null
          ? await byLeader.create(key, value)
          : await byLeader.update(key, value, Number(read.revision));
      return { done: true, read: { value, revision } };
    } catch (error) {
      const found = await byLeader.get(key);
      if (found === null || found.revision === read.revision) throw error;
      return { done: false, read: { value: found.string(), revision: found.revision } };
    }
  };
  return {
    set: (key, value) => byLeader.put(key, value),
    get: async (key) => {
      const found = await byLeader.get(key);
      return found === null ? { value: null } : { value: found.string(), revision: found.revision };
    },
    // JetStream has no write without a quorum of a stream's replicas, and the KV client has no counter.
    localGet: async (key) => (await byAnyone.get(key))?.string() ?? null,
    swap,
    fill: (entries) => Promise.all(entries.map(([key, value]) => byLeader.put(key, value))),
    close: () => connection.close(),
  };
}
