import { describe, expect, it } from 'vitest';
import { get, set, swap, valueOf, World } from './testing/world.ts';

describe('a region', () => {
  it('elects, sets, gets and swaps', () => {
    const world = new World();
    world.awaitLeader();
    for (const name of world.names) {
      const answer = world.settle(world.call(name, set(`k-${name}`, 'v')));
      expect(answer).toMatchObject({ valid: true, outcome: 'applied' });
      for (const reader of world.names) expect(valueOf(world.settle(world.call(reader, get(`k-${name}`))))).toBe('v');
    }
    expect(world.settle(world.call('n1', swap('k-n1', 'w', 'x')))).toMatchObject({ outcome: 'refused' });
    expect(world.settle(world.call('n2', swap('k-n1', 'w', 'v')))).toMatchObject({ outcome: 'applied' });
    expect(valueOf(world.settle(world.call('n3', get('k-n1'))))).toBe('w');
  });

  it('serves quorum-less calls on a lone survivor and promotes the writes when quorum returns', () => {
    const world = new World();
    world.awaitLeader();
    world.crash('n2');
    world.crash('n3');
    const write = world.settle(world.call('n1', set('k', 'v', false)));
    expect(write).toMatchObject({ valid: true });
    expect(valueOf(world.settle(world.call('n1', get('k', false))))).toBe('v');
    world.run(1000);
    expect(world.settle(world.call('n1', set('c', 'v'), { timeoutMs: 300 }))).toMatchObject({
      timeout: true,
      outcome: 'notApplied',
    });
    const blocked = world.call('n1', set('b', 'v'));
    world.crash('n1');
    world.start('n1');
    expect(valueOf(world.settle(world.call('n1', get('k', false))))).toBe('v');
    const blocked2 = world.call('n1', set('b2', 'v'));
    world.start('n2');
    world.start('n3');
    expect(world.settle(blocked2)).toMatchObject({ valid: true });
    expect(blocked.answer).toBeUndefined();
    for (const name of world.names) expect(valueOf(world.settle(world.call(name, get('k'))))).toBe('v');
    const receipt = write.kind === 'key' ? (write.receipt ?? '') : '';
    expect(world.settle(world.call('n2', { kind: 'receipt', receipt, wait: true }))).toMatchObject({
      state: 'promoted',
    });
  });
});
