import { Redis } from 'ioredis';
import type { Session } from './session.ts';

/** Redis has no compare-and-set of values but a script, which it runs with nothing beside it. */
const compareAndSet = `
local found = redis.call('GET', KEYS[1])
if found == ARGV[2] or (not found and ARGV[2] == '') then
  redis.call('SET', KEYS[1], ARGV[1])
  return false
end
return found or ''`;

export async function redisSession([endpoint = '']: readonly string[]): Promise<Session> {
  // Commands of one turn go out together, as the other clients do it; without it ioredis makes one write for each.
  const redis = new Redis(endpoint, { enableAutoPipelining: true, lazyConnect: true });
  await redis.connect();
  const swap: Session['swap'] = async (key, value, read) => {
    const found = (await redis.eval(compareAndSet, 1, key, value, read.value ?? '')) as string | null;
    if (found === null) return { done: true, read: { value } };
    return { done: false, read: { value: found === '' ? null : found } };
  };
  return {
    set: (key, value) => redis.set(key, value),
    get: async (key) => ({ value: await redis.get(key) }),
    // One server is all there is: both kinds of call are the same to it.
    weakSet: (key, value) => redis.set(key, value),
    localGet: (key) => redis.get(key),
    swap,
    add: (key) => redis.incr(key),
    fill: (entries) => redis.mset(...entries.flat()),
    close: () => redis.quit(),
  };
}
