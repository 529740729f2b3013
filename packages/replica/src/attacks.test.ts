import { partitionId, replicaId, utf8Encode, type ClientId, type NodeId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { Answer, Operation, ValueChange } from './requests.ts';
import { commandBytes } from './state/command.ts';
import { get, set, swap, valueOf, World, type Call } from './testing/world.ts';

const receiptOf = (answer: Answer | undefined): string => (answer?.kind === 'key' ? (answer.receipt ?? '') : '');
const update = (key: string, change: ValueChange): Operation => ({ kind: 'update', key, change, consistent: false });

/** Each was found by someone who tried to break the promises. */
describe('attacks that worked once', () => {
  it('I12: a quorum-less write that was fenced elsewhere is rejected into the ledger, not lost as promoted', () => {
    const world = new World();
    const other = world.names.find((name) => name !== world.awaitLeader()) as string;
    world.isolate(other);
    const write = world.settle(world.call(other, set('k', 'v', false), { sequence: 1 }));
    const leader = world.awaitLeader();
    expect(world.settle(world.call(leader, { kind: 'resolve', ticket: `r:0:${world.clientOf('a')}:1` }))).toMatchObject(
      { outcome: 'notApplied' },
    );
    world.heal();
    world.until(() => world.replica(other).status().partitions[0]?.pending === 0);
    expect(world.settle(world.call(leader, { kind: 'receipt', receipt: receiptOf(write), wait: true }))).toMatchObject({
      state: 'rejected',
      reason: 'FENCED',
    });
    expect(world.settle(world.call(leader, { kind: 'conflicts', prefix: '', limit: 10 }))).toMatchObject({
      entries: [{ key: 'k', reason: 'rejected' }],
    });
  });

  it('I7: a promotion does not bring a forgotten session back to life for its consistent writes', () => {
    const world = new World({ timing: { sessionIdleMs: 2_000 } });
    const other = world.names.find((name) => name !== world.awaitLeader()) as string;
    const leader = world.awaitLeader();
    world.settle(world.call(leader, swap('k', 'a', null), { sequence: 1 }));
    world.isolate(other);
    world.settle(world.call(other, set('weak', 'v', false), { sequence: 2 }));
    world.run(6_000);
    world.heal();
    world.until(() => world.replica(other).status().partitions[0]?.pending === 0);
    world.settle(world.call(leader, { kind: 'delete', key: 'k', consistent: true }, { client: 'b' }));
    expect(world.settle(world.call(leader, swap('k', 'a', null), { sequence: 1, retry: true }))).toMatchObject({
      code: 'SESSION_EXPIRED',
    });
    expect(valueOf(world.settle(world.call(leader, get('weak'))))).toBe('v');
  });

  it('I7: cluster time stands still while all are off, whatever their wall clocks say', () => {
    const world = new World({ timing: { sessionIdleMs: 60_000 } });
    world.awaitLeader();
    world.settle(world.call('n1', swap('k', 'a', null), { sequence: 1 }));
    world.run(200);
    const before = world.replica('n1').clusterNowMs({ wallMs: 0, monoMs: world.nowMs });
    for (const name of world.names) world.crash(name);
    for (const name of world.names) world.setClock(name, 3 * 24 * 3_600_000);
    for (const name of world.names) world.start(name);
    world.awaitLeader();
    world.run(2_000);
    expect(world.replica('n1').clusterNowMs({ wallMs: 0, monoMs: world.nowMs }) - before).toBeLessThan(10_000);
    expect(world.settle(world.call('n2', swap('k', 'a', null), { sequence: 1, retry: true }))).toMatchObject({
      outcome: 'applied',
    });
  });

  it('a retried write that asks for two copies waits for two copies', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    const wanted = { ...set('k', 'v', false), w: 2 } as never;
    expect(world.settle(world.call('n1', wanted, { sequence: 1, timeoutMs: 100 }))).toMatchObject({ timeout: true });
    const retry = world.call('n1', wanted, { sequence: 1, retry: true });
    world.run(500);
    expect(retry.answer).toBeUndefined();
    world.heal();
    expect(world.settle(retry)).toMatchObject({ valid: true });
  });

  it('a watch at a node that got a snapshot and was killed starts over rather than skip changes', () => {
    const world = new World({ limits: { logKeepEntries: 20 } });
    world.awaitLeader();
    world.crash('n3');
    const first = world.call('n1', { kind: 'watch', key: '', prefix: true, cursor: null });
    const at = world.settle(first);
    const cursor = at.kind === 'watch' ? at.cursor : '';
    for (let i = 0; i < 100; i++) world.settle(world.call('n1', set('k', String(i)), { client: 'b' }));
    world.run(500);
    world.start('n3');
    world.until(
      () => world.replica('n3').status().partitions[0]?.applied === world.replica('n1').status().partitions[0]?.applied,
    );
    world.run(1_000);
    world.crash('n3');
    world.start('n3');
    const late = world.call('n3', { kind: 'watch', key: '', prefix: true, cursor });
    world.until(() => late.answers.some((answer) => answer.kind === 'watch' && answer.reset === 'last'));
  });

  it('sends a large state page by page, as fast as the reader takes them', () => {
    const world = new World();
    world.awaitLeader();
    const value = 'x'.repeat(100_000);
    for (let i = 0; i < 20; i++) world.settle(world.call('n1', set(`k${i}`, value)));
    const watch = world.call('n1', { kind: 'watch', key: 'k', prefix: true, cursor: '' });
    world.until(() => watch.answers.some((answer) => answer.kind === 'watch' && answer.reset === 'last'));
    const pages = watch.answers.filter((answer) => answer.kind === 'watch' && answer.reset !== undefined);
    expect(pages.length).toBeGreaterThan(5);
    expect(pages.flatMap((answer) => (answer.kind === 'watch' ? answer.events : []))).toHaveLength(20);
    const keys: string[] = [];
    for (let after: string | null = ''; after !== null;) {
      const page = world.settle(
        world.call('n2', { kind: 'list', prefix: 'k', after, limit: 1_000, consistent: true, keysOnly: false }),
      );
      if (page.kind !== 'list') throw new Error('not a listing');
      keys.push(...page.entries.map(({ key }) => key));
      after = page.next;
    }
    expect(keys).toHaveLength(20);
    expect(new Set(keys).size).toBe(20);
  });

  it('forgets calls that timed out or were cancelled while there is no quorum', () => {
    const world = new World();
    world.awaitLeader();
    world.crash('n2');
    world.crash('n3');
    world.run(1_000);
    for (let i = 0; i < 200; i++) {
      world.call('n1', get('k'), { timeoutMs: 50 });
      world.call('n1', set(`k${i}`, 'v'), { timeoutMs: 50 });
      world.call('n1', { kind: 'receipt', receipt: 'r:0:000000000009-1', wait: true }, { timeoutMs: 50 });
    }
    world.run(2_000);
    expect(world.replica('n1').metrics()).toMatchObject({ reads_waiting: 0, writes_waiting: 0, requests_open: 0 });
  });

  it('refuses a cursor of another region', () => {
    const world = new World();
    world.awaitLeader();
    expect(
      world.settle(world.call('n1', { kind: 'watch', key: 'k', prefix: false, cursor: 'elsewhere:5' })),
    ).toMatchObject({ code: 'CURSOR_INVALID' });
    expect(world.settle(world.call('n1', { kind: 'watch', key: 'k', prefix: false, cursor: 'zzzzzz' }))).toMatchObject({
      code: 'CURSOR_INVALID',
    });
  });

  it('blocking: a call that was cancelled and retried at the same node while it waits for a pending write is answered', () => {
    const world = new World();
    const other = world.names.find((name) => name !== world.awaitLeader()) as string;
    world.isolate(other);
    world.settle(world.call(other, set('k', 'weak', false), { client: 'b' }));
    const calls: Call[] = [];
    for (let sequence = 1; sequence <= 30; sequence++) {
      const first = world.call(other, set('k', 'v'), { sequence });
      world.run(13);
      world.cancel(other, first);
      world.run(40);
      calls.push(world.call(other, set('k', 'v'), { sequence, retry: true }));
      world.run(170);
    }
    world.heal();
    world.run(10_000);
    expect(calls.filter((call) => call.answer === undefined).length).toBe(0);
  });

  it('a retry that waits for two copies of a write that is settled meanwhile is answered', () => {
    for (let delay = 0; delay < 12; delay++) {
      const world = new World();
      const leader = world.awaitLeader();
      const other = world.names.find((name) => name !== leader) as string;
      world.call(other, set('k', 'v', false), { sequence: 1 });
      world.run(delay);
      world.call(other, set('j', 'v', false), { client: 'b' });
      const again = world.call(other, { ...set('k', 'v', false), w: 2 } as Operation, { sequence: 1, retry: true });
      world.run(20_000);
      expect(again.answer, `delay ${delay}`).toBeDefined();
    }
  });

  it('I13: a local read tells nothing that a crash of its node undoes', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    world.hangDisk('n1', true);
    world.call('n1', set('k', 'v', false));
    world.run(10);
    const seen = world.call('n1', get('k', false));
    world.run(10);
    const before = seen.answer === undefined ? undefined : valueOf(seen.answer);
    world.crash('n1');
    world.hangDisk('n1', false);
    world.start('n1');
    const after = valueOf(world.settle(world.call('n1', get('k', false))));
    expect([before, after]).not.toEqual(['v', null]);
  });

  it('I12: a context names no write that its reader did not see, so that it does not replace another one unrecorded', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    world.hangDisk('n1', true);
    world.call('n1', update('m', { type: 'multiRegister', value: utf8Encode('lost'), context: null }));
    world.run(10);
    const seen = world.call('n1', { kind: 'read', key: 'm', type: 'multiRegister', consistent: false });
    world.run(10);
    const context =
      seen.answer?.kind === 'key' && seen.answer.view?.type === 'multiRegister' ? seen.answer.view.context : null;
    world.crash('n1');
    world.hangDisk('n1', false);
    world.start('n1');
    world.settle(
      world.call('n1', update('m', { type: 'multiRegister', value: utf8Encode('acknowledged'), context: null }), {
        client: 'b',
      }),
    );
    world.settle(
      world.call('n1', update('m', { type: 'multiRegister', value: utf8Encode('mine'), context }), { client: 'c' }),
    );
    world.heal();
    world.until(() => world.replica('n1').status().partitions[0]?.pending === 0);
    const both = world.settle(world.call('n2', { kind: 'read', key: 'm', type: 'multiRegister', consistent: true }));
    expect(both).toMatchObject({ view: { values: [utf8Encode('acknowledged'), utf8Encode('mine')] } });
  });

  it('a transaction that is too large for the leader alone is refused, and stops nobody', () => {
    const world = new World({ limits: { valueBytesMax: 100 } });
    const leader = world.awaitLeader();
    const other = world.names.find((name) => name !== leader) as NodeId;
    const id = { client: world.clientOf('x'), sequence: 1, answeredBelow: 0 };
    // As from a node with a larger limit.
    const command = commandBytes({
      kind: 'txn',
      id,
      compares: [],
      then: [{ kind: 'set', key: 'k', value: new Uint8Array(200) }],
      otherwise: [],
    });
    world.linkEvent(leader, (replica, now) =>
      replica.receive(other, { kind: 'forward', partition: partitionId(0), number: 1, commands: [command] }, now),
    );
    world.run(500);
    expect(world.settle(world.call(other, { kind: 'resolve', ticket: `r:0:${id.client}:1` }))).toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
    expect(valueOf(world.settle(world.call(leader, get('k'))))).toBeNull();
  });

  it('a write wins over the one that its writer had seen, whatever the clock of that one', () => {
    const world = new World({ nodeCount: 5 });
    world.awaitLeader();
    for (const name of world.names) world.crash(name);
    world.setClock('n1', 3_600_000);
    world.start('n1');
    world.start('n2');
    world.settle(world.call('n1', set('k', 'first', false), { client: 'a' }));
    world.until(() => valueOf(world.settle(world.call('n2', get('k', false)))) === 'first');
    world.settle(world.call('n2', set('k', 'second', false), { client: 'b' }));
    world.run(1);
    world.crash('n1');
    for (const name of ['n3', 'n4', 'n5']) world.start(name);
    world.awaitLeader();
    world.until(() => world.replica('n2').status().partitions[0]?.pending === 0, 60_000);
    expect(valueOf(world.settle(world.call('n3', get('k'))))).toBe('second');
  });

  it('I7: a session that was born ahead of the cluster time is not taken for new after it was forgotten', () => {
    const world = new World({ timing: { sessionIdleMs: 20_000 } });
    world.awaitLeader();
    world.settle(world.call('n1', set('x', 'y'), { client: 'z' }));
    world.run(60_000);
    const birth = Math.floor(world.replica('n1').clusterNowMs({ wallMs: 0, monoMs: world.nowMs }));
    for (const name of world.names) world.crash(name);
    for (const name of world.names) world.start(name);
    world.awaitLeader();
    const original = world.clientOf.bind(world);
    world.clientOf = (name) =>
      (name === 'c' || name === 'd'
        ? birth.toString(16).padStart(12, '0') + original(name).slice(12)
        : original(name)) as ClientId;
    expect(world.settle(world.call('n1', swap('k', 'a', null), { client: 'c', sequence: 1 }))).toMatchObject({
      outcome: 'applied',
    });
    world.run(25_000);
    world.settle(world.call('n1', { kind: 'delete', key: 'k', consistent: true }, { client: 'd' }));
    world.run(2_000);
    const again = world.settle(world.call('n1', swap('k', 'a', null), { client: 'c', sequence: 1, retry: true }));
    expect([again, valueOf(world.settle(world.call('n1', get('k'))))]).toMatchObject([{ outcome: 'applied' }, null]);
  });

  it('I13: a read that waits for a pending write is answered when that is pushed, without a quorum', () => {
    const world = new World({ nodeCount: 5 });
    world.awaitLeader();
    for (const name of ['n3', 'n4', 'n5']) world.crash(name);
    world.cut('n1', 'n2');
    world.run(3_000);
    world.settle(world.call('n1', set('k', 'v', false)));
    const late = world.callAfter('n2', get('k', false), {
      after: { positions: [], dots: [{ replica: replicaId(1), sequence: 1 }] },
      timeoutMs: null,
    });
    world.run(500);
    expect(late.answer).toBeUndefined();
    world.heal();
    expect(valueOf(world.settle(late))).toBe('v');
  });
});
