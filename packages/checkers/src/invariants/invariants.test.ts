import { describe, expect, it } from 'vitest';
import { HistoryRecorder, type CallOptions } from '../history/recorder.ts';
import type { KeyValueOutput } from '../models/key-value.ts';
import { factsOf, type Dump, type DumpEntry, type Facts, type Violation } from './facts.ts';
import { checkLinearizable } from './i3-linearizable.ts';
import { checkConsistentWrites } from './i4-consistent-writes.ts';
import { checkQuorumlessWrites } from './i5-quorumless-writes.ts';
import { checkOwnWrites } from './i6-own-writes.ts';
import { checkAppliedOnce, checkCounterTotals, type VersionRecord } from './i7-once.ts';
import { checkOutcomes } from './i8-outcomes.ts';
import { checkConvergence } from './i9-convergence.ts';
import { checkDeletedStaysDeleted } from './i11-deleted.ts';
import { checkSessions } from './i13-sessions.ts';

/** Records calls on the key `k`, one after the other. */
class Script {
  readonly recorder = new HistoryRecorder({ nowMs: () => 0 });

  /** Writes `value` and is answered with `version`; null deletes. */
  wrote(process: string, value: string | null, version: string, options: CallOptions = {}): this {
    this.recorder.invoke(process, writeOf(value), options).ok({ outcome: 'applied', version });
    return this;
  }

  /** A quorum-less write that its node acknowledged; its end is not known. */
  accepted(process: string, value: string | null, version: string, options: CallOptions = {}): this {
    this.recorder.invoke(process, writeOf(value), { consistent: false, ...options }).accepted(version);
    return this;
  }

  undecided(process: string, value: string | null): this {
    this.recorder.invoke(process, writeOf(value)).info();
    return this;
  }

  notApplied(process: string, value: string | null, options: CallOptions = {}): this {
    this.recorder.invoke(process, writeOf(value), options).fail();
    return this;
  }

  read(process: string, value: string | null, extra: { version?: string; behind?: boolean } & CallOptions = {}): this {
    const { version, behind, ...options } = extra;
    const output: KeyValueOutput = { outcome: 'read', value, version, behind };
    this.recorder.invoke(process, { op: 'get', key: 'k' }, options).ok(output);
    return this;
  }

  get facts(): Facts {
    return factsOf(this.recorder.history());
  }
}

function writeOf(value: string | null): { op: 'set'; key: string; value: string } | { op: 'delete'; key: string } {
  return value === null ? { op: 'delete', key: 'k' } : { op: 'set', key: 'k', value };
}

const script = (): Script => new Script();

/** A node that holds `entry` for the key `k`, or nothing. */
function dump(node: string, entry?: DumpEntry): Dump {
  return { node, entries: new Map(entry === undefined ? [] : [['k', entry]]) };
}

const messages = (violations: readonly Violation[]): string[] =>
  violations.map(({ invariant, message }) => `${invariant} ${message}`);

describe('I3', () => {
  it('takes a promoted write as one that ends at its promotion, not at its acknowledgement', () => {
    const promoted = script();
    const call = promoted.recorder.invoke('c1', { op: 'set', key: 'k', value: '1' }, { consistent: false });
    call.accepted('5');
    promoted.read('c2', null);
    call.ok({ outcome: 'applied', version: '5' });
    expect(checkLinearizable(promoted.read('c2', '1').recorder.history())).toEqual([]);
    const [violation] = checkLinearizable(promoted.read('c2', null).recorder.history());
    expect(violation).toMatchObject({
      invariant: 'I3',
      key: 'k',
      message: expect.stringContaining('nothing explains get("k") -> null by c2'),
    });
  });

  it('leaves reads of a local view out', () => {
    expect(
      checkLinearizable(script().wrote('c1', '1', '1').read('c2', null, { consistent: false }).recorder.history()),
    ).toEqual([]);
  });

  it('is violated by a value that only a notApplied write wrote', () => {
    expect(checkLinearizable(script().notApplied('c1', '1').read('c2', '1').recorder.history())).toHaveLength(1);
  });

  it('is unknown, not held, when a limit ends the search', () => {
    expect(checkLinearizable(script().wrote('c1', '1', '1').recorder.history(), { stepsMax: 0 })).toBe('unknown');
  });
});

const checkAcknowledgedWrites = (writes: Facts['writes'], dumps: readonly Dump[]): Violation[] => [
  ...checkConsistentWrites(writes, dumps),
  ...checkQuorumlessWrites(writes, dumps),
];

describe('I4 and I5', () => {
  const { writes } = script()
    .wrote('c1', '1', '8')
    .accepted('c2', '2', '10')
    .undecided('c3', '3')
    .notApplied('c4', '4').facts;

  it('hold when every node has the last write or a later one', () => {
    expect(
      checkAcknowledgedWrites(writes, [
        dump('n1', { value: '2', version: '10' }),
        dump('n2', { value: '3', version: '11' }),
      ]),
    ).toEqual([]);
    // A clamped stamp may end below the one that was acknowledged.
    expect(checkAcknowledgedWrites(writes, [dump('n1', { value: '2', version: '9' })])).toEqual([]);
  });

  it('are violated by a node that lost the write', () => {
    expect(messages(checkAcknowledgedWrites(writes, [dump('n1', { value: '1', version: '8' })]))).toEqual([
      'I5 quorum-less write of "2" @10 by c2 was acknowledged, but n1 holds the older "1" @8',
    ]);
    expect(messages(checkAcknowledgedWrites(writes, [dump('n1')]))).toEqual([
      'I4 write of "1" @8 by c1 was acknowledged, but n1 has no such key',
      'I5 quorum-less write of "2" @10 by c2 was acknowledged, but n1 has no such key',
    ]);
  });

  it('are violated by a value that nobody can have written', () => {
    expect(messages(checkAcknowledgedWrites(writes.slice(0, 1), [dump('n1', { value: '4', version: '12' })]))).toEqual([
      'I4 write of "1" @8 by c1 was acknowledged, but n1 holds "4" @12, which nobody wrote',
    ]);
  });

  it('let a later delete explain a missing key, and an earlier one not', () => {
    expect(
      checkAcknowledgedWrites(script().wrote('c1', '1', '8').wrote('c1', null, '9').facts.writes, [dump('n1')]),
    ).toEqual([]);
    expect(
      checkAcknowledgedWrites(script().wrote('c1', null, '7').wrote('c1', '1', '8').facts.writes, [dump('n1')]),
    ).toHaveLength(1);
  });
});

describe('I6', () => {
  const own = (): Script => script().accepted('c1', '1', '5', { node: 'n1' });
  const local = { node: 'n1', consistent: false };

  it('holds while the node returns the write or a later one', () => {
    expect(checkOwnWrites(own().read('c2', '1', { ...local, version: '5' }).facts)).toEqual([]);
    expect(checkOwnWrites(own().read('c2', '2', { ...local, version: '6' }).facts)).toEqual([]);
    expect(checkOwnWrites(own().read('c2', null, { node: 'n2', consistent: false }).facts)).toEqual([]);
  });

  it('holds while the node shows a write that was fenced at another one, and of which it has not heard', () => {
    const { recorder } = script().notApplied('c3', '2', { node: 'n1', consistent: false });
    recorder.invoke('c1', writeOf('1'), { node: 'n1', consistent: false }).accepted();
    recorder.invoke('c2', { op: 'get', key: 'k' }, local).ok({ outcome: 'read', value: '2', version: '6' });
    expect(checkOwnWrites(factsOf(recorder.history()))).toEqual([]);
  });

  it('is violated when what the node shows was a consistent write without effect, or a fenced one that is older', () => {
    const { recorder } = script().notApplied('c3', '2', { node: 'n1' });
    recorder.invoke('c1', writeOf('1'), { node: 'n1', consistent: false }).accepted();
    recorder.invoke('c2', { op: 'get', key: 'k' }, local).ok({ outcome: 'read', value: '2', version: '6' });
    expect(checkOwnWrites(factsOf(recorder.history()))).toHaveLength(1);

    const older = own().notApplied('c3', '2', { node: 'n1', consistent: false });
    expect(checkOwnWrites(older.read('c2', '2', { ...local, version: '4' }).facts)).toHaveLength(1);
  });

  it('is violated when the node returns an older value or none', () => {
    expect(messages(checkOwnWrites(own().read('c2', '0', { ...local, version: '4' }).facts))).toEqual([
      'I6 n1 acknowledged "1" @5 to c1 and later returned "0" @4 to c2',
    ]);
    expect(checkOwnWrites(own().read('c2', null, local).facts)).toHaveLength(1);
  });
});

describe('I7', () => {
  const record = (value: string | null, version: string, observer = 'watch'): VersionRecord => ({
    observer,
    key: 'k',
    value,
    version,
  });

  it('holds when each value has one version, however many saw it', () => {
    expect(
      checkAppliedOnce([
        record('a', '1'),
        record('b', '2'),
        record(null, '3'),
        record('a', '1', 'other'),
        record(null, '5'),
      ]),
    ).toEqual([]);
  });

  it('is violated by a write that was applied twice', () => {
    expect(messages(checkAppliedOnce([record('a', '1'), record('b', '2'), record('a', '3')]))).toEqual([
      'I7 "a" was applied twice: @1 to watch, @3 to watch',
    ]);
  });

  it('is violated by two values under one version', () => {
    expect(messages(checkAppliedOnce([record('a', '1'), record('b', '1', 'other')]))).toEqual([
      'I7 version 1 is "a" to watch and "b" to other',
    ]);
  });

  it('is judged for counters by their totals', () => {
    const additions = [
      { key: 'k', amount: 2, outcome: 'applied' },
      { key: 'k', amount: 3, outcome: 'undecided' },
      { key: 'k', amount: -1, outcome: 'undecided' },
      { key: 'k', amount: 100, outcome: 'noEffect' },
    ] as const;
    for (const total of [1, 2, 4, 5]) expect(checkCounterTotals(additions, new Map([['k', total]]))).toEqual([]);
    expect(messages(checkCounterTotals(additions, new Map([['k', 6]])))).toEqual([
      'I7 the counter is 6, its increments make 1 to 5',
    ]);
    expect(checkCounterTotals(additions, new Map())).toHaveLength(1);
    expect(checkCounterTotals([], new Map([['l', 1]]))).toHaveLength(1);
  });
});

describe('I8', () => {
  const { writes } = script().wrote('c1', '1', '5').notApplied('c2', '2').undecided('c3', '3').facts;

  it('holds when applied writes stand and notApplied ones are nowhere', () => {
    const evidence = {
      sightings: [{ key: 'k', value: '3', version: undefined, where: 'a read' }],
      dumps: [dump('n1', { value: '1', version: '5' })],
    };
    expect(checkOutcomes(writes, evidence)).toEqual([]);
  });

  it('is violated when a notApplied value is seen by a reader or in a dump', () => {
    const sighting = { key: 'k', value: '2', version: undefined, where: 'a read by c9' };
    expect(messages(checkOutcomes(writes, { sightings: [sighting], dumps: [] }))).toEqual([
      'I8 "2" had no effect, as c2 was told, but a read by c9 shows it',
    ]);
    expect(
      messages(checkOutcomes(writes, { sightings: [], dumps: [dump('n1', { value: '2', version: '6' })] })),
    ).toEqual(['I8 "2" @6 had no effect, as c2 was told, but the dump of n1 shows it']);
  });

  it('is violated when an applied write is gone and nothing superseded it', () => {
    expect(messages(checkOutcomes(writes, { sightings: [], dumps: [dump('n1')] }))).toEqual([
      'I8 "1" @5 was applied, as c1 was told, but n1 holds null',
    ]);
  });

  it('excuses a value that another write, which may have been applied, wrote too', () => {
    const both = script().notApplied('c1', '1').undecided('c1', '1').facts.writes;
    expect(
      checkOutcomes(both, { sightings: [{ key: 'k', value: '1', version: undefined, where: 'a read' }], dumps: [] }),
    ).toEqual([]);
  });
});

describe('I9', () => {
  const { writes } = script().wrote('c1', '1', '9').wrote('c2', '2', '10').undecided('c3', '3').facts;

  it('holds when all nodes hold the merge', () => {
    expect(
      checkConvergence(writes, [dump('n1', { value: '2', version: '10' }), dump('n2', { value: '2', version: '10' })]),
    ).toEqual([]);
    expect(checkConvergence(writes, [dump('n1', { value: '3', version: '11' })])).toEqual([]);
    expect(checkConvergence([], [dump('n1'), dump('n2', { value: null, version: '1' })])).toEqual([]);
  });

  it('is violated by nodes that differ in value or version', () => {
    expect(
      messages(
        checkConvergence(writes, [
          dump('n1', { value: '2', version: '10' }),
          dump('n2'),
          dump('n3', { value: '2', version: '11' }),
        ]),
      ),
    ).toEqual(['I9 nodes differ: "2" @10 on n1; nothing on n2; "2" @11 on n3']);
  });

  it('is violated by a state that all hold and that is not the merge', () => {
    expect(messages(checkConvergence(writes, [dump('n1', { value: '1', version: '9' })]))).toEqual([
      'I9 n1 holds "1" @9, the merge is "2" @10',
    ]);
    expect(messages(checkConvergence(writes, [dump('n1')]))).toEqual(['I9 n1 holds nothing, the merge is "2" @10']);
    expect(messages(checkConvergence(writes, [dump('n1', { value: '4', version: '12' })]))).toEqual([
      'I9 n1 holds "4" @12, the merge is "2" @10',
    ]);
    expect(messages(checkConvergence([], [dump('n1', { value: '4', version: '12' })]))).toEqual([
      'I9 n1 holds "4" @12, the merge is nothing',
    ]);
  });
});

describe('I11', () => {
  const deleted = (): Script => script().wrote('c1', '1', '5').wrote('c1', null, '6');

  it('holds when the key is gone or was written again', () => {
    expect(
      checkDeletedStaysDeleted(deleted().read('c2', null).facts, [
        dump('n1'),
        dump('n2', { value: null, version: '6' }),
      ]),
    ).toEqual([]);
    expect(
      checkDeletedStaysDeleted(deleted().wrote('c1', '2', '7').facts, [dump('n1', { value: '2', version: '7' })]),
    ).toEqual([]);
    expect(
      checkDeletedStaysDeleted(deleted().undecided('c1', '1').facts, [dump('n1', { value: '1', version: '7' })]),
    ).toEqual([]);
  });

  it('is violated by the deleted value in a dump or a later read, be it under a new version', () => {
    expect(messages(checkDeletedStaysDeleted(deleted().facts, [dump('n1', { value: '1', version: '5' })]))).toEqual([
      'I11 deleted @6 by c1, but n1 shows "1" @5',
    ]);
    expect(checkDeletedStaysDeleted(deleted().facts, [dump('n1', { value: '1', version: '8' })])).toHaveLength(1);
    expect(messages(checkDeletedStaysDeleted(deleted().read('c2', '1').facts, []))).toEqual([
      'I11 deleted @6 by c1, but a later read by c2 shows "1"',
    ]);
  });

  it('tells earlier writes by real time where versions are missing', () => {
    const noVersions = script();
    noVersions.recorder.invoke('c1', { op: 'set', key: 'k', value: '1' }).ok({ outcome: 'applied' });
    noVersions.recorder.invoke('c1', { op: 'delete', key: 'k' }).ok({ outcome: 'applied' });
    expect(checkDeletedStaysDeleted(noVersions.facts, [dump('n1', { value: '1', version: '5' })])).toHaveLength(1);
  });
});

describe('I13', () => {
  it('holds when each read has what the session knew, or later', () => {
    const session = script().wrote('c1', '1', '9').read('c1', '1', { version: '9' }).wrote('c2', '2', '10');
    expect(checkSessions(session.read('c1', '2', { version: '10' }).read('c3', '1', { version: '9' }).facts)).toEqual(
      [],
    );
  });

  it('is violated by a session that does not read its own write', () => {
    expect(
      messages(checkSessions(script().wrote('c1', '1', '9').read('c1', '0', { version: '8', node: 'n2' }).facts)),
    ).toEqual(['I13 c1 did not read its own write: wrote "1" @9, then read "0" @8 from n2']);
    expect(checkSessions(script().accepted('c1', '1', '9').read('c1', null, { consistent: false }).facts)).toHaveLength(
      1,
    );
  });

  it('is violated by a session that reads backwards', () => {
    const backwards = script().read('c1', '2', { version: '10' }).read('c1', '1', { version: '9' });
    expect(messages(checkSessions(backwards.facts))).toEqual(['I13 c1 read backwards: read "2" @10, then read "1" @9']);
    expect(
      checkSessions(script().wrote('c2', '1', '9').read('c1', '1', { version: '9' }).read('c1', null).facts),
    ).toHaveLength(1);
  });

  it('excuses an answer that says it is behind, once', () => {
    const excused = script().wrote('c1', '1', '9').read('c1', null, { behind: true });
    expect(checkSessions(excused.facts)).toEqual([]);
    expect(checkSessions(excused.read('c1', null).facts)).toHaveLength(1);
  });

  it('asks nothing of a read that began before the session knew', () => {
    const overlapping = script();
    const read = overlapping.recorder.invoke('c1', { op: 'get', key: 'k' });
    overlapping.wrote('c1', '1', '9');
    read.ok({ outcome: 'read', value: null });
    expect(checkSessions(overlapping.facts)).toEqual([]);
  });
});
