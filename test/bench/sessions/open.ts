import { redisSession } from './redis.ts';
import type { Session, Target } from './session.ts';
import { skerrySession } from './skerry.ts';

const openers: Readonly<Record<Target['client'], (endpoints: readonly string[]) => Promise<Session>>> = {
  skerry: skerrySession,
  redis: redisSession,
};

export function openSession({ client, endpoints }: Target): Promise<Session> {
  return openers[client](endpoints);
}
