import { etcdSession } from './etcd.ts';
import { natsSession } from './nats.ts';
import { redisSession } from './redis.ts';
import type { Session, Target } from './session.ts';
import { skerrySession } from './skerry.ts';

const openers: Readonly<Record<Target['client'], (endpoints: readonly string[]) => Promise<Session>>> = {
  skerry: skerrySession,
  etcd: etcdSession,
  nats: natsSession,
  redis: redisSession,
};

export function openSession({ client, endpoints }: Target): Promise<Session> {
  return openers[client](endpoints);
}
