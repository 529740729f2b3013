import { Etcd3 } from 'etcd3';
import type { Read, Session } from './session.ts';

export async function etcdSession(endpoints: readonly string[]): Promise<Session> {
  const client = new Etcd3({ hosts: [...endpoints] });
  await client
    .get('')
    .string()
    .catch(() => null);
  const swap: Session['swap'] = async (key, value, read) => {
    const compare = read.value === null ? client.if(key, 'Create', '==', 0) : client.if(key, 'Value', '==', read.value);
    const { succeeded, responses } = await compare.then(client.put(key).value(value)).else(client.get(key)).commit();
    if (succeeded) return { done: true, read: { value } };
    const found = responses[0]?.response_range?.kvs[0]?.value;
    return { done: false, read: { value: found === undefined ? null : found.toString() } satisfies Read };
  };
  return {
    set: (key, value) => client.put(key).value(value).exec(),
    get: async (key) => ({ value: await client.get(key).string() }),
    // etcd has no write without a quorum, and no counter.
    localGet: (key) => client.get(key).serializable(true).string(),
    swap,
    fill: async (entries) => {
      // Of a key that never is there: the client wants a condition.
      const puts = entries.map(([key, value]) => client.put(key).value(value));
      await client
        .if('nothing', 'Create', '==', 0)
        .then(...puts)
        .commit();
    },
    close: () => {
      client.close();
      return Promise.resolve();
    },
  };
}
