import { randomChance, randomInt, utf8Encode } from '@skerry/base';
import { ask } from './asking.ts';
import { textOf, type Caller } from './caller.ts';
import type { WriteEnd } from './write-call.ts';

export const leaseTtlMsMax = 2_000;

/**
 * Grants a lease, hangs a key of its own on it and reads the key: until the lease can have ended the key is there, after
 * a revocation it is not. That it goes in the end is seen when the run is over.
 */
export function holdLease(client: Caller): void {
  const { load, random } = client;
  const { world } = load;
  const value = client.newValue();
  const lease = `lease-${value}`;
  const key = lease;
  const ttlMs = randomInt(random, 100, leaseTtlMsMax);
  // Cluster time is never faster than true time, so the lease does not end before this.
  const endsMs = world.queue.nowMs + ttlMs;
  const read = (then: (value: string | null) => void): void => {
    client.begin();
    ask({
      world,
      random,
      pickNode: client.pickNode,
      request: { operation: { kind: 'get', key, consistent: true }, timeoutMs: null },
      onAnswer: (answer) => {
        if (answer.kind === 'key') then(textOf(answer.value));
        client.finish();
        return true;
      },
    });
  };
  const revoke = (): void => {
    client.write(key, { kind: 'leaseRevoke', lease, key }, (end) => {
      if (!isApplied(end)) return;
      read((found) => {
        if (found !== null) load.onAnomaly('lease', `${key} is there after its lease was revoked`);
      });
    });
  };
  client.write(key, { kind: 'leaseGrant', lease, ttlMs, key }, (granted) => {
    if (!isApplied(granted)) return;
    client.write(key, { kind: 'set', key, value: utf8Encode(value), consistent: true, lease }, (set) => {
      if (!isApplied(set)) return;
      read((found) => {
        if (found === null && world.queue.nowMs < endsMs)
          load.onAnomaly('lease', `${key} was gone ${endsMs - world.queue.nowMs} ms before its lease could end`);
        if (found === null) world.sometimes.saw('lease expired');
        if (found !== null && randomChance(random, 0.3)) revoke();
      });
    });
  });
}

function isApplied(end: WriteEnd): boolean {
  return end.kind === 'answer' && 'outcome' in end.answer && end.answer.outcome === 'applied';
}
