import { describe, expect, it } from 'vitest';
import type { Answer } from './requests.ts';
import { get, set, swap, valueOf, World } from './testing/world.ts';

const ticketOf = (answer: Answer | undefined): string => (answer?.kind === 'key' ? (answer.ticket ?? '') : '');

describe('outcomes (DESIGN section 2)', () => {
  it('a node without quorum answers notApplied and puts nothing in a log', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    world.run(1_000);
    const before = world.replica('n1').status().partitions[0]?.lastIndex;
    const answer = world.settle(world.call('n1', set('k', 'v'), { timeoutMs: 200 }));
    expect(answer).toMatchObject({ valid: false, timeout: true, outcome: 'notApplied' });
    expect(world.replica('n1').status().partitions[0]?.lastIndex).toBe(before);
    world.heal();
    world.run(2_000);
    expect(valueOf(world.settle(world.call('n2', get('k'))))).toBeNull();
  });

  it('a retry of a write that another node may have logged is never called notApplied without a fence', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    world.run(1_000);
    const answer = world.settle(world.call('n1', set('k', 'v'), { timeoutMs: 200, retry: true }));
    expect(answer).toMatchObject({ timeout: true, outcome: 'undecided' });
    expect(ticketOf(answer)).not.toBe('');
  });

  it('says undecided when quorum is lost in the window, and the ticket tells the truth later', () => {
    const world = new World();
    const leader = world.awaitLeader();
    const others = world.names.filter((name) => name !== leader);
    const call = world.call(leader, set('k', 'v'), { timeoutMs: 100 });
    world.step();
    for (const other of others) world.crash(other);
    const answer = world.settle(call);
    expect(answer).toMatchObject({ timeout: true, outcome: 'undecided' });
    for (const other of others) world.start(other);
    const resolved = world.settle(world.call(leader, { kind: 'resolve', ticket: ticketOf(answer) }));
    const value = valueOf(world.settle(world.call(leader, get('k'))));
    expect(resolved).toMatchObject(value === 'v' ? { outcome: 'applied' } : { outcome: 'notApplied' });
    // It stays as it was told.
    expect(world.settle(world.call(others[0] as string, set('k', 'v'), { sequence: 1, retry: true }))).toMatchObject(
      value === 'v' ? { outcome: 'applied' } : { outcome: 'notApplied' },
    );
  });

  it('a request that wins against its fence is applied', () => {
    const world = new World({ timing: { fenceGraceMs: 5_000 } });
    const leader = world.awaitLeader();
    for (const name of world.names) if (name !== leader) world.hangDisk(name, true);
    const call = world.call(leader, set('k', 'v'), { timeoutMs: 50 });
    world.run(100);
    expect(call.answer).toBeUndefined();
    for (const name of world.names) world.hangDisk(name, false);
    expect(world.settle(call)).toMatchObject({ valid: true, outcome: 'applied' });
  });

  it('a fence that wins makes the late copy harmless', () => {
    const world = new World();
    world.awaitLeader();
    const ticket = `r:0:${world.clientOf('a')}:7`;
    expect(world.settle(world.call('n1', { kind: 'resolve', ticket }))).toMatchObject({ outcome: 'notApplied' });
    expect(world.settle(world.call('n2', set('k', 'v'), { sequence: 7, retry: true }))).toMatchObject({
      outcome: 'notApplied',
    });
    expect(valueOf(world.settle(world.call('n3', get('k'))))).toBeNull();
  });

  it('I7: a retry at another node gets the first result of a swap, also after restart of all', () => {
    const world = new World();
    world.awaitLeader();
    expect(world.settle(world.call('n1', swap('k', 'a', null), { sequence: 1 }))).toMatchObject({ outcome: 'applied' });
    expect(world.settle(world.call('n2', swap('k', 'a', null), { sequence: 1, retry: true }))).toMatchObject({
      outcome: 'applied',
    });
    world.settle(world.call('n3', set('k', 'b'), { sequence: 2 }));
    world.run(200);
    for (const name of world.names) world.crash(name);
    for (const name of world.names) world.start(name);
    expect(world.settle(world.call('n3', swap('k', 'a', null), { sequence: 1, retry: true }))).toMatchObject({
      outcome: 'applied',
    });
    expect(valueOf(world.settle(world.call('n1', get('k'))))).toBe('b');
  });

  it('a refused swap returns what is there and changes nothing, and its retry says the same', () => {
    const world = new World();
    world.awaitLeader();
    world.settle(world.call('n1', set('k', 'there'), { sequence: 1 }));
    const refused = world.settle(world.call('n1', swap('k', 'new', 'other'), { sequence: 2 }));
    expect(refused).toMatchObject({ outcome: 'refused' });
    expect(valueOf(refused)).toBe('there');
    world.settle(world.call('n1', set('k', 'other'), { sequence: 3 }));
    expect(world.settle(world.call('n2', swap('k', 'new', 'other'), { sequence: 2, retry: true }))).toMatchObject({
      outcome: 'refused',
    });
    expect(valueOf(world.settle(world.call('n2', get('k'))))).toBe('other');
  });

  it('blocking calls wait without quorum and finish when it returns', () => {
    const world = new World();
    world.awaitLeader();
    world.crash('n2');
    world.crash('n3');
    world.run(1_000);
    const write = world.call('n1', set('k', 'v'));
    const read = world.call('n1', get('k'));
    world.run(5_000);
    expect(write.answer).toBeUndefined();
    expect(read.answer).toBeUndefined();
    world.start('n2');
    expect(world.settle(write)).toMatchObject({ outcome: 'applied' });
    expect(world.settle(read)).toMatchObject({ valid: true });
  });

  it('an expired session is refused rather than applied again', () => {
    const world = new World({ timing: { sessionIdleMs: 2_000 } });
    world.awaitLeader();
    world.settle(world.call('n1', swap('k', 'a', null), { sequence: 1 }));
    world.run(5_000);
    expect(world.settle(world.call('n1', swap('k', 'a', null), { sequence: 1, retry: true }))).toMatchObject({
      kind: 'error',
      code: 'SESSION_EXPIRED',
    });
  });

  it('an OVERLOADED node refuses at once and recovers', () => {
    const world = new World({ limits: { requestsOpenMax: 5 } });
    world.awaitLeader();
    const calls = Array.from({ length: 8 }, (_, i) => world.call('n1', set(`k${i}`, 'v')));
    world.until(() => calls.every((call) => call.answer !== undefined));
    expect(calls.filter((call) => call.answer?.kind === 'error')).toHaveLength(3);
    expect(world.settle(world.call('n1', set('k', 'v')))).toMatchObject({ valid: true });
  });
});
