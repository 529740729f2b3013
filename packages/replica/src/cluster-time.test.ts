import { utf8Encode } from '@skerry/base';
import { expect, it } from 'vitest';
import { get, set, valueOf, World } from './testing/world.ts';

it('ends a lease in time where the leader had its state by snapshot and has applied nothing since', () => {
  const world = new World({ limits: { logKeepEntries: 5 } });
  world.awaitLeader();
  world.crash('n3');
  world.run(8_000);
  for (let i = 0; i < 40; i++) world.settle(world.call('n1', set('k', `v${i}`)));
  world.run(500);
  world.start('n3');
  const state = (name: string): { applied: number; firstIndex: number; role: string } | undefined =>
    world.replica(name).status().partitions[0];
  world.until(() => state('n3')?.applied === state('n1')?.applied);
  expect(state('n3')?.firstIndex).toBeGreaterThan(20);
  world.settle(world.call('n1', { kind: 'transferLeadership', partition: 0 as never, to: 'n3' as never }));
  world.until(() => state('n3')?.role === 'leader');
  world.settle(world.call('n1', { kind: 'leaseGrant', lease: 'l', ttlMs: 300, key: 'leased' }));
  world.settle(world.call('n1', { kind: 'set', key: 'leased', value: utf8Encode('1'), consistent: true, lease: 'l' }));
  expect(valueOf(world.settle(world.call('n1', get('leased'))))).toBe('1');
  world.run(1_500);
  expect(valueOf(world.settle(world.call('n1', get('leased'))))).toBeNull();
});
