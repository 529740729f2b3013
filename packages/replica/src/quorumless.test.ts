import type { NodeId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { Answer, ValueView } from './requests.ts';
import { get, set, valueOf, World } from './testing/world.ts';

const receiptOf = (answer: Answer | undefined): string => (answer?.kind === 'key' ? (answer.receipt ?? '') : '');
const conflicts = { kind: 'conflicts', prefix: '', limit: 100 } as const;

describe('quorum-less writes (DESIGN section 3)', () => {
  it('I5: answers only when the write is durable, and has it after a crash', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    world.hangDisk('n1', true);
    const call = world.call('n1', set('k', 'v', false));
    world.run(500);
    expect(call.answer).toBeUndefined();
    world.hangDisk('n1', false);
    expect(world.settle(call)).toMatchObject({ valid: true });
    world.crash('n1');
    world.start('n1');
    expect(valueOf(world.settle(world.call('n1', get('k', false))))).toBe('v');
  });

  it('I6: a node returns its own write until it knows of a later one', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    world.settle(world.call('n1', set('k', 'one', false)));
    world.settle(world.call('n1', set('k', 'two', false)));
    expect(valueOf(world.settle(world.call('n1', get('k', false))))).toBe('two');
    world.settle(world.call('n1', { kind: 'delete', key: 'k', consistent: false }));
    expect(valueOf(world.settle(world.call('n1', get('k', false))))).toBeNull();
  });

  it('promotes each of 2,000 writes once, in the order of the node, when quorum returns', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    const calls = Array.from({ length: 2_000 }, (_, i) => world.call('n1', set(`k${i % 500}`, `v${i}`, false)));
    world.until(() => calls.every((call) => call.answer !== undefined));
    world.heal();
    world.until(() => world.replica('n1').status().partitions[0]?.pending === 0);
    for (const name of world.names) {
      expect(valueOf(world.settle(world.call(name, get('k7'))))).toBe('v1507');
      expect(valueOf(world.settle(world.call(name, get('k499'))))).toBe('v1999');
    }
    expect(world.replica('n1').metrics()['receipts_settled_total']).toBe(2_000);
    expect(
      world.settle(world.call('n2', { kind: 'receipt', receipt: receiptOf(calls[1_999]?.answer), wait: false })),
    ).toMatchObject({ state: 'promoted' });
    // Later writes of one node overwrite its earlier ones knowingly: nothing conflicts.
    expect(world.settle(world.call('n1', conflicts))).toMatchObject({ entries: [] });
  });

  it('does not push to the other nodes what it is about to promote, however slow their disks are', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    const calls = Array.from({ length: 6_000 }, (_, i) => world.call('n1', set(`k${i}`, 'v', false)));
    world.until(() => calls.every((call) => call.answer !== undefined));
    world.heal();
    const pendingOf = (name: string): number => world.replica(name).status().partitions[0]?.pending ?? 0;
    let copies = 0;
    world.until(() => {
      for (const name of ['n2', 'n3']) world.hangDisk(name, world.nowMs % 100 < 95);
      copies = Math.max(copies, pendingOf('n2'), pendingOf('n3'));
      return pendingOf('n1') === 0;
    });
    expect(copies).toBe(0);
  });

  it('pushes what it handed to a leader that does not commit it', () => {
    const world = new World({ nodeCount: 5 });
    const leader = world.awaitLeader();
    const [origin, holder, ...rest] = world.names.filter((name) => name !== leader) as [NodeId, NodeId, ...NodeId[]];
    for (const name of rest) world.crash(name);
    world.settle(world.call(origin, set('k', 'v', false)));
    world.pause(leader);
    world.until(() => (world.replica(holder).status().partitions[0]?.pending ?? 0) === 1);
  });

  it('keeps the later stamp and the loser in the ledger when both sides wrote', () => {
    const world = new World();
    world.awaitLeader();
    world.settle(world.call('n2', set('early', 'base')));
    world.isolate('n1');
    // n1 writes `early` before the majority does, `late` after it.
    const early = world.call('n1', set('early', 'minority', false));
    world.settle(early);
    world.until(() => world.leader() !== null && world.leader() !== 'n1');
    world.settle(world.call('n2', set('early', 'majority')));
    world.settle(world.call('n3', set('late', 'majority')));
    const late = world.call('n1', set('late', 'minority', false));
    world.settle(late);
    world.heal();
    world.until(() => world.replica('n1').status().partitions[0]?.pending === 0);
    for (const name of world.names) {
      expect(valueOf(world.settle(world.call(name, get('early'))))).toBe('majority');
      expect(valueOf(world.settle(world.call(name, get('late'))))).toBe('minority');
    }
    const text = (view: ValueView | null): string =>
      view?.type === 'register' ? String.fromCharCode(...view.value) : '';
    for (const name of world.names) {
      const answer = world.settle(world.call(name, conflicts));
      const found =
        answer.kind === 'conflicts'
          ? answer.entries.map((one) => [one.key, text(one.loser), text(one.winner), one.reason])
          : [];
      expect(found.sort()).toEqual([
        ['early', 'minority', 'majority', 'superseded'],
        ['late', 'majority', 'minority', 'overwrote'],
      ]);
    }
    expect(
      world.settle(world.call('n3', { kind: 'receipt', receipt: receiptOf(early.answer), wait: false })),
    ).toMatchObject({ state: 'superseded' });
    expect(
      world.settle(world.call('n3', { kind: 'receipt', receipt: receiptOf(late.answer), wait: false })),
    ).toMatchObject({ state: 'promoted' });
  });

  it('lets another holder promote when the origin of five is gone for good', () => {
    const world = new World({ nodeCount: 5 });
    world.awaitLeader();
    for (const name of ['n3', 'n4', 'n5']) world.crash(name);
    const write = world.settle(world.call('n1', { ...set('k', 'v', false), w: 2 } as never));
    expect(write).toMatchObject({ valid: true });
    world.crash('n1');
    for (const name of ['n3', 'n4']) world.start(name);
    expect(valueOf(world.settle(world.call('n3', get('k', false))))).toBeNull();
    world.until(() => world.replica('n2').status().partitions[0]?.pending === 0, 10_000, 'promotion by the holder');
    expect(valueOf(world.settle(world.call('n4', get('k'))))).toBe('v');
  });

  it('a consistent read or write first promotes what its node holds for the key', () => {
    const world = new World();
    world.awaitLeader();
    const quorumless = world.call('n1', set('k', 'first', false));
    world.settle(quorumless);
    const write = world.call('n1', set('k', 'second'));
    world.settle(write);
    expect(valueOf(world.settle(world.call('n2', get('k'))))).toBe('second');
    world.settle(world.call('n1', set('j', 'weak', false)));
    expect(valueOf(world.settle(world.call('n1', get('j'))))).toBe('weak');
    expect(world.settle(world.call('n1', conflicts))).toMatchObject({ entries: [] });
  });

  it('I7: a retry that two nodes accepted is promoted once', () => {
    const world = new World();
    world.awaitLeader();
    for (const name of world.names) for (const other of world.names) if (name < other) world.cut(name, other);
    world.settle(world.call('n1', set('k', 'v', false), { sequence: 1 }));
    world.settle(world.call('n2', set('k', 'v', false), { sequence: 1, retry: true }));
    world.heal();
    world.until(() => world.names.every((name) => world.replica(name).status().partitions[0]?.pending === 0));
    world.run(100);
    world.settle(world.call('n3', set('k', 'later')));
    expect(valueOf(world.settle(world.call('n1', get('k'))))).toBe('later');
    expect(world.settle(world.call('n1', conflicts))).toMatchObject({ entries: [] });
  });

  it('a stamp from a fast clock is clamped, so a later consistent write wins', () => {
    const world = new World();
    const fast = world.names.find((name) => name !== world.awaitLeader()) as string;
    world.isolate(fast);
    world.setClock(fast, 3_600_000);
    world.settle(world.call(fast, set('k', 'from the future', false)));
    world.heal();
    world.until(() => world.replica(fast).status().partitions[0]?.pending === 0);
    expect(world.leader()).not.toBe(fast);
    expect(valueOf(world.settle(world.call('n2', get('k'))))).toBe('from the future');
    world.settle(world.call('n2', set('k', 'now')));
    for (const name of world.names) expect(valueOf(world.settle(world.call(name, get('k'))))).toBe('now');
    const read = world.settle(world.call('n2', get('k')));
    const wallMs = read.kind === 'key' ? Number.parseInt((read.version ?? '').slice(0, 12), 16) : 0;
    expect(wallMs).toBeLessThan(1_700_000_000_000 + world.nowMs + 1_000);
  });

  it('w: waits for copies, and says undecided with a receipt when there are too few', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    expect(
      world.settle(world.call('n1', { ...set('k', 'v', false), w: 2 } as never, { timeoutMs: 200 })),
    ).toMatchObject({ timeout: true, outcome: 'undecided' });
    world.heal();
    expect(world.settle(world.call('n1', { ...set('k', 'v', false), w: 2 } as never))).toMatchObject({ valid: true });
  });

  it('r: merges the local views of several nodes and repairs the reader', () => {
    const world = new World();
    world.awaitLeader();
    world.crash('n3');
    world.cut('n1', 'n2');
    world.run(1_000);
    world.settle(world.call('n2', set('k', 'v', false)));
    expect(valueOf(world.settle(world.call('n1', get('k', false))))).toBeNull();
    world.heal();
    const read = world.call('n1', { ...get('k', false), r: 2 } as never);
    expect(valueOf(world.settle(read))).toBe('v');
    expect(valueOf(world.settle(world.call('n1', get('k', false))))).toBe('v');
  });

  it('antietcd 1.3.1: what a lone node acknowledged survives a majority that wrote another key', () => {
    const world = new World();
    world.awaitLeader();
    world.crash('n2');
    world.crash('n3');
    world.settle(world.call('n1', set('weak', 'kept', false)));
    world.crash('n1');
    world.start('n2');
    world.start('n3');
    world.settle(world.call('n2', set('other', 'x')));
    world.start('n1');
    world.until(() => world.replica('n1').status().partitions[0]?.pending === 0 && world.leader() !== null);
    for (const name of world.names) expect(valueOf(world.settle(world.call(name, get('weak'))))).toBe('kept');
  });

  it('refuses with PENDING_FULL beyond the limit and goes on when there is room', () => {
    const world = new World({ limits: { pendingCountMax: 10 } });
    world.awaitLeader();
    world.isolate('n1');
    for (let i = 0; i < 10; i++) world.settle(world.call('n1', set(`k${i}`, 'v', false)));
    expect(world.settle(world.call('n1', set('k10', 'v', false)))).toMatchObject({
      kind: 'error',
      code: 'PENDING_FULL',
    });
    world.heal();
    world.until(() => world.replica('n1').status().partitions[0]?.pending === 0);
    expect(world.settle(world.call('n1', set('k10', 'v', false)))).toMatchObject({ valid: true });
  });

  it('gathers writes while others are on their way to the leader, and holds none back for long', () => {
    const world = new World();
    const leader = world.awaitLeader();
    const node = world.names.find((name) => name !== leader) as NodeId;
    let forwards = 0;
    let isCut = false;
    world.passes = (from, _to, message) => {
      if (from !== node || message.kind !== 'forward') return true;
      forwards++;
      return !isCut;
    };
    const pendingCount = (): number => world.replica(node).status().partitions[0]?.pending ?? 0;
    for (let i = 0; i < 200; i++) {
      world.call(node, set(`k${i}`, 'v', false));
      world.step();
    }
    expect(forwards).toBeGreaterThan(10);
    expect(forwards).toBeLessThan(60);
    world.until(() => pendingCount() === 0);
    // What was handed over is lost: what comes later does not wait for it.
    isCut = true;
    world.settle(world.call(node, set('lost', 'v', false)));
    world.run(10);
    isCut = false;
    world.settle(world.call(node, set('later', 'v', false)));
    world.until(() => pendingCount() === 1, 200);
  });

  it('promotes first what a consistent call waits for, however much is pending', () => {
    const world = new World();
    world.awaitLeader();
    world.isolate('n1');
    const calls = Array.from({ length: 9_000 }, (_, i) => world.call('n1', set(`k${i}`, 'v', false)));
    world.until(() => calls.every((call) => call.answer !== undefined));
    world.heal();
    expect(valueOf(world.settle(world.call('n1', get('k8999'))))).toBe('v');
    expect(world.replica('n1').status().partitions[0]?.pending).toBeGreaterThan(0);
  });

  it('tells a retry what its write came to, also when its receipt is forgotten', () => {
    const world = new World({ limits: { receiptCountMax: 1 } });
    const leader = world.awaitLeader();
    const first = world.settle(world.call(leader, set('k', 'v', false), { client: 'a', sequence: 1 }));
    const receipt = receiptOf(first);
    const stateOf = (): string | null => {
      const answer = world.settle(world.call(leader, { kind: 'receipt', receipt, wait: false }));
      return answer.kind === 'receipt' ? answer.state : null;
    };
    world.until(() => stateOf() === 'promoted');
    const others = Array.from({ length: 600 }, (_, i) => world.call(leader, set(`k${i}`, 'v', false), { client: 'b' }));
    for (const call of others) world.settle(call);
    world.until(() => stateOf() === 'unknown');
    for (const name of world.names) {
      const again = world.settle(world.call(name, set('k', 'v', false), { client: 'a', sequence: 1, retry: true }));
      expect(again).toMatchObject({ valid: true, receipt });
    }
  });
});
