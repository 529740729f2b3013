import { ByteWriter, clientId, nodeId, partitionId, regionId, replicaId, utf8Encode } from '@skerry/base';
import { CausalContext, encodeValue, operationDelta, stampZero, visiblePart, type Operation } from '@skerry/crdt';
import { simpleConfig } from '@skerry/raft';
import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../ports/memory-storage.ts';
import { StagedStore } from '../staged-store.ts';
import type { Batch } from './batch.ts';
import type { Command, CommandId } from './command.ts';
import { decodeRegionEntry, encodeRegionEntry } from './region-entry.ts';
import { StateMachine, type AppliedBatch } from './state-machine.ts';
import { TakenAway } from './taken-away.ts';

const abroad = regionId('r2');
const origin = replicaId(77);

/** Entry `n` of the other region's log: adds 1 to a counter, under a dot of its own. */
function entry(n: number): Uint8Array {
  const op: Operation = {
    dot: { replica: origin, sequence: n },
    stamp: { wallMs: 1_000 + n, counter: 0, replica: origin },
    body: { type: 'counter', action: 'add', amount: 1n, generation: n, endedBelow: 0 },
  };
  return encodeRegionEntry({ effects: [{ key: `k${n}`, op }], settled: [] });
}

class Machine {
  readonly state: StateMachine;
  #index = 1;

  constructor() {
    const initial = { config: simpleConfig([nodeId('n1')]), applied: 1, term: 1 };
    this.state = new StateMachine(new StagedStore(new MemoryStorage()), {
      region: regionId('r1'),
      partition: partitionId(0),
      generation: 0,
      initial,
    });
    this.apply({ kind: 'regionSet', region: abroad, urls: [], nodes: null, evicted: false, changedAt: null });
  }

  apply(...commands: Command[]): AppliedBatch {
    const batch: Batch = {
      wallMs: 1_000,
      clampMs: 1_500,
      clusterMs: 0,
      replica: replicaId(1),
      valueBytesMax: 1_000_000,
      commands,
    };
    return this.state.apply(++this.#index, 1, batch);
  }

  remote(first: number, ...entries: number[]): AppliedBatch {
    return this.apply({ kind: 'remote', region: abroad, origin, first, entries: entries.map(entry) });
  }

  get applied(): number {
    return this.state.regions.applied(origin);
  }
}

describe("entries of another region's log, and what is written for them (I7, I10)", () => {
  it('are applied in order from the position that the state has', () => {
    const machine = new Machine();
    expect(machine.remote(1, 1, 2).changes.map(({ key }) => key)).toEqual(['k1', 'k2']);
    expect(machine.remote(3, 3).changes.map(({ key }) => key)).toEqual(['k3']);
    expect(machine.applied).toBe(3);
  });

  it('leave no trace if they come after a gap', () => {
    const machine = new Machine();
    machine.remote(1, 1);
    expect(machine.remote(3, 3, 4).changes).toEqual([]);
    expect(machine.applied).toBe(1);
    expect(machine.state.read('k3')).toBeNull();
  });

  it('are applied once where two batches overlap, as two leaders may propose them', () => {
    const machine = new Machine();
    machine.remote(1, 1, 2, 3);
    expect(machine.remote(2, 2, 3, 4).changes.map(({ key }) => key)).toEqual(['k4']);
    expect(machine.remote(1, 1, 2).changes).toEqual([]);
    expect(machine.applied).toBe(4);
    expect(machine.state.values.log.read(origin, 1, 10_000)).toEqual([1, 2, 3, 4].map(entry));
  });

  it('are not taken from a region that nobody knows, nor as the own log', () => {
    const machine = new Machine();
    const foreign = machine.apply({
      kind: 'remote',
      region: regionId('r9'),
      origin: replicaId(99),
      first: 1,
      entries: [entry(1)],
    });
    expect(foreign.changes).toEqual([]);
    const own = machine.apply({
      kind: 'remote',
      region: abroad,
      origin: machine.state.header.origin,
      first: 1,
      entries: [entry(1)],
    });
    expect(own.changes).toEqual([]);
    expect(machine.state.read('k1')).toBeNull();
  });

  it('sends abroad of a promoted write that lost only that it is settled: the tombstone it lost to may be gone there', () => {
    const machine = new Machine();
    const id = (sequence: number): CommandId => ({ client: clientId('0'.repeat(32)), sequence, answeredBelow: 0 });
    machine.apply(
      { kind: 'set', id: id(1), key: 'k', value: utf8Encode('1'), lease: null },
      { kind: 'delete', id: id(2), key: 'k' },
    );
    const dot = { replica: replicaId(5), sequence: 1 };
    const op: Operation = {
      dot,
      stamp: { wallMs: 10, counter: 0, replica: replicaId(5) },
      body: { type: 'register', value: utf8Encode('older'), replaces: null },
    };
    machine.apply({
      kind: 'promote',
      id: { ...id(1), client: clientId('1'.repeat(32)) },
      write: { key: 'k', op, base: null },
    });
    const { origin: own } = machine.state.header;
    const log = machine.state.values.log.read(own, 1, 10_000).map(decodeRegionEntry);
    expect(log.map(({ effects, settled }) => [effects.length, settled])).toEqual([
      [1, []],
      [1, []],
      [0, [dot]],
    ]);
    expect(machine.state.receipts.find(dot)).toMatchObject({ state: 'superseded' });
  });

  it('remembers every dot that took effect, whichever way it came', () => {
    const machine = new Machine();
    const id = { client: clientId('0'.repeat(32)), sequence: 1, answeredBelow: 0 };
    const promoted = { replica: replicaId(5), sequence: 1 };
    const op: Operation = {
      dot: promoted,
      stamp: { wallMs: 10, counter: 0, replica: replicaId(5) },
      body: { type: 'counter', action: 'add', amount: 3n, generation: 1, endedBelow: 0 },
    };
    machine.apply({ kind: 'set', id, key: 'k', value: utf8Encode('1'), lease: null });
    machine.apply({ kind: 'promote', id: { ...id, sequence: 2 }, write: { key: 'n', op, base: null } });
    machine.remote(1, 1);
    const { context, origin: own } = machine.state.header;
    for (const dot of [promoted, { replica: own, sequence: 1 }, { replica: origin, sequence: 1 }])
      expect(context.has(dot)).toBe(true);
    // I7: the same dot from another session changes nothing.
    const again = machine.apply({
      kind: 'promote',
      id: { ...id, client: clientId('2'.repeat(32)) },
      write: { key: 'n', op, base: null },
    });
    expect(again.changes).toEqual([]);
  });

  it("clamps the stamp of a promoted write to what the leader's clock allows", () => {
    const machine = new Machine();
    const id = { client: clientId('0'.repeat(32)), sequence: 1, answeredBelow: 0 };
    const op: Operation = {
      dot: { replica: replicaId(5), sequence: 1 },
      stamp: { wallMs: 9_000_000, counter: 0, replica: replicaId(5) },
      body: { type: 'register', value: utf8Encode('future'), replaces: null },
    };
    const { changes } = machine.apply({ kind: 'promote', id, write: { key: 'k', op, base: null } });
    expect(changes.map(({ stamp }) => stamp.wallMs)).toEqual([1_500]);
  });

  it('takes no offer of an evicted region twice: another region may have passed it on already', () => {
    const machine = new Machine();
    const third = regionId('r3');
    machine.apply({ kind: 'regionSet', region: third, urls: [], nodes: null, evicted: false, changedAt: null });
    const op: Operation = {
      dot: { replica: origin, sequence: 1 },
      stamp: { wallMs: 900, counter: 0, replica: origin },
      body: { type: 'register', value: utf8Encode('late'), replaces: null },
    };
    const bytes = encodeRegionEntry({ effects: [{ key: 'k', op }], settled: [] });
    machine.apply({ kind: 'remote', region: third, origin: replicaId(78), first: 1, entries: [bytes] });
    machine.apply({
      kind: 'delete',
      id: { client: clientId('0'.repeat(32)), sequence: 1, answeredBelow: 0 },
      key: 'k',
    });
    machine.apply({ kind: 'regionSet', region: abroad, urls: [], nodes: null, evicted: true, changedAt: null });
    const before = machine.state.regions.applied(machine.state.header.origin);
    const { changes, conflicts } = machine.apply({ kind: 'offer', region: abroad, origin, first: 1, entries: [bytes] });
    expect([changes, conflicts]).toEqual([[], []]);
    expect(machine.state.regions.applied(machine.state.header.origin)).toBe(before);
    expect(machine.state.regions.taken(origin)).toBe(1);
    const fresh = encodeRegionEntry({
      effects: [{ key: 'j', op: { ...op, dot: { replica: origin, sequence: 2 } } }],
      settled: [],
    });
    expect(
      machine
        .apply({ kind: 'offer', region: abroad, origin, first: 2, entries: [fresh] })
        .changes.map(({ key }) => key),
    ).toEqual(['j']);
  });

  it('writes nothing while its state is being replaced: consistent calls are not applied, quorum-less ones stay pending', () => {
    const machine = new Machine();
    const id = { client: clientId('0'.repeat(32)), sequence: 1, answeredBelow: 0 };
    const { header } = machine.state;
    machine.apply({
      kind: 'reseed',
      from: abroad,
      ended: header.origin,
      outSince: { wallMs: 1, counter: 0, replica: origin },
      yields: false,
    });
    const { results } = machine.apply({ kind: 'set', id, key: 'k', value: utf8Encode('1'), lease: null });
    expect(results).toMatchObject([{ result: { kind: 'notApplied' } }]);
    const op: Operation = {
      dot: { replica: replicaId(5), sequence: 1 },
      stamp: { wallMs: 10, counter: 0, replica: replicaId(5) },
      body: { type: 'counter', action: 'add', amount: 3n, generation: 1, endedBelow: 0 },
    };
    expect(
      machine.apply({ kind: 'promote', id: { ...id, sequence: 2 }, write: { key: 'n', op, base: null } }).settled,
    ).toEqual([]);
    expect([machine.state.read('k'), machine.state.read('n'), header.context.has(op.dot)]).toEqual([null, null, false]);
    machine.apply({
      kind: 'adopt',
      origins: [],
      context: CausalContext.empty(),
      takenAway: TakenAway.empty(),
      collected: stampZero,
      buried: stampZero,
      replaces: true,
      out: [],
    });
    expect(
      machine.apply({ kind: 'promote', id: { ...id, sequence: 2 }, write: { key: 'n', op, base: null } }).changes,
    ).toHaveLength(1);
  });

  it('tell of stamps that lie further in the future than clocks may differ, and are applied all the same', () => {
    const machine = new Machine();
    const op: Operation = {
      dot: { replica: origin, sequence: 1 },
      stamp: { wallMs: 1_000_000, counter: 0, replica: origin },
      body: { type: 'register', value: utf8Encode('future'), replaces: null },
    };
    const bytes = encodeRegionEntry({ effects: [{ key: 'k', op }], settled: [] });
    expect(machine.apply({ kind: 'remote', region: abroad, origin, first: 1, entries: [bytes] }).stampsAhead).toBe(1);
    expect(machine.state.read('k')).not.toBeNull();
    expect(machine.remote(2, 2).stampsAhead).toBe(0);
  });
});

describe('the log of a region that has just learned of another one', () => {
  it('begins with what was written after that, also within one batch', () => {
    const initial = { config: simpleConfig([nodeId('n1')]), applied: 1, term: 1 };
    const state = new StateMachine(new StagedStore(new MemoryStorage()), {
      region: regionId('r1'),
      partition: partitionId(0),
      generation: 0,
      initial,
    });
    const write = (sequence: number): Command => ({
      kind: 'set',
      id: { client: clientId('0'.repeat(32)), sequence, answeredBelow: 0 },
      key: `k${sequence}`,
      value: utf8Encode('v'),
      lease: null,
    });
    const apply = (index: number, ...commands: Command[]): AppliedBatch =>
      state.apply(index, 1, {
        wallMs: 1_000,
        clampMs: 1_500,
        clusterMs: 0,
        replica: replicaId(1),
        valueBytesMax: 1_000_000,
        commands,
      });
    apply(
      2,
      write(1),
      write(2),
      { kind: 'regionSet', region: abroad, urls: [], nodes: null, evicted: false, changedAt: null },
      write(3),
      write(4),
    );
    apply(3, write(5));
    const own = state.header.origins.get(state.header.origin);
    expect(own).toMatchObject({ applied: 5, first: 3 });
    const keys = state.values.log
      .read(state.header.origin, 3, 10_000)
      .map((bytes) => decodeRegionEntry(bytes).effects[0]?.key);
    expect(keys).toEqual(['k3', 'k4', 'k5']);
  });
});

describe('an offer of an evicted region whose log had been cut off for its length', () => {
  it('is taken from where it begins, or it would be made for ever', () => {
    const machine = new Machine();
    machine.apply({ kind: 'regionSet', region: abroad, urls: [], nodes: null, evicted: true, changedAt: null });
    machine.apply({ kind: 'offer', region: abroad, origin, first: 5, entries: [5, 6].map(entry) });
    machine.apply({ kind: 'offer', region: abroad, origin, first: 6, entries: [6, 7].map(entry) });
    expect(machine.state.regions.taken(origin)).toBe(7);
    expect(['k5', 'k6', 'k7'].map((key) => machine.state.read(key) !== null)).toEqual([true, true, true]);
  });
});

describe('an offer of an evicted region whose clock was ahead', () => {
  it('is taken under the stamp that other regions may have it under (I9, simulator, seed 85500339 with evictions)', () => {
    const machine = new Machine();
    machine.apply({ kind: 'regionSet', region: abroad, urls: [], nodes: null, evicted: true, changedAt: null });
    const stamp = { wallMs: 9_000, counter: 0, replica: origin };
    const body: Operation['body'] = { type: 'multiRegister', value: utf8Encode('v'), replaces: [], evicts: [] };
    const op: Operation = { dot: { replica: origin, sequence: 1 }, stamp, body };
    const entries = [encodeRegionEntry({ effects: [{ key: 'm', op }], settled: [] })];
    machine.apply({ kind: 'offer', region: abroad, origin, first: 1, entries });
    expect(machine.state.read('m')?.value.parts).toMatchObject([{ type: 'multiRegister', writtenAt: stamp }]);
  });
});

describe('the ended log of a region that was re-seeded', () => {
  /** Entry 1 was applied, 2 and 3 are still under way; then everything older than 2 s was collected. */
  function readmitted(): Machine {
    const machine = new Machine();
    machine.remote(1, 1);
    machine.apply(report(origin));
    machine.apply({ kind: 'regionSet', region: abroad, urls: [], nodes: null, evicted: true, changedAt: null });
    machine.state.header.collected = { wallMs: 2_000, counter: 0, replica: replicaId(1) };
    const outSince = machine.state.header.regions.get(abroad)?.outSince ?? stampZero;
    machine.apply({ kind: 'reseeded', region: abroad, outSince, origin: replicaId(99) });
    return machine;
  }
  const report = (of: number): Command => ({
    kind: 'retain',
    reports: [{ region: abroad, report: { origin: replicaId(of), head: 9, positions: new Map([[origin, 9]]) } }],
    cuts: [],
  });

  it('brings nothing back, be it before the first word of the new one or after it (I11, simulator, seed 1713014289)', () => {
    for (const reports of [[], [report(78)], [report(origin)]]) {
      const machine = readmitted();
      machine.apply(...reports);
      machine.remote(2, 2, 3);
      expect(machine.applied).toBe(3);
      expect(['k2', 'k3'].map((key) => machine.state.read(key))).toEqual([null, null]);
      expect(machine.state.header.conflicts.next).toBe(2);
    }
  });

  it('brings nothing back over an earlier delete of its own either (I11, simulator, seed 85401054 with evictions)', () => {
    const machine = readmitted();
    const at = (n: number, body: Operation['body']): Uint8Array => {
      const op: Operation = {
        dot: { replica: origin, sequence: n },
        stamp: { wallMs: 1_000 + n, counter: 0, replica: origin },
        body,
      };
      return encodeRegionEntry({ effects: [{ key: 'k', op }], settled: [] });
    };
    const written = { type: 'register', value: utf8Encode('old'), replaces: null } as const;
    const entries = [at(2, { type: 'delete', parts: [{ type: 'register', replaces: null }] }), at(3, written)];
    machine.apply({ kind: 'remote', region: abroad, origin, first: 2, entries });
    expect(machine.applied).toBe(3);
    expect(machine.state.read('k')?.value.parts).toMatchObject([{ type: 'register', value: null }]);
    expect(machine.state.header.conflicts.next).toBe(1);
  });

  it('is spoken for by no late report', () => {
    const machine = readmitted();
    machine.apply(report(origin));
    expect(machine.state.header.regions.get(abroad)?.report?.positions.size).toBe(0);
    machine.apply(report(78), report(origin));
    expect(machine.state.header.regions.get(abroad)?.report?.origin).toBe(78);
  });
});

describe('entries that come while the state is being replaced', () => {
  it('wait until it is, as the context of before would make removals of what the new values lack (I12, seed 1794783163)', () => {
    const machine = new Machine();
    const { header } = machine.state;
    machine.remote(1, 1);
    header.reseeding = { stage: 'waits', from: abroad, ended: replicaId(9), outSince: stampZero, until: 0 };
    machine.remote(2, 2);
    expect(machine.applied).toBe(1);
    header.reseeding = null;
    machine.remote(2, 2);
    expect(machine.applied).toBe(2);
  });
});

describe('what was taken as an offer', () => {
  const out: Command = { kind: 'regionSet', region: abroad, urls: [], nodes: null, evicted: true, changedAt: null };

  it('while this region yielded is not applied again if the state that it takes then has had it (I11, seed 1016)', () => {
    const machine = new Machine();
    machine.apply(out);
    const { header } = machine.state;
    const outSince = { wallMs: 900, counter: 0, replica: replicaId(5) };
    const reseed = { kind: 'reseed', from: abroad, ended: header.origin, outSince } as const;
    machine.apply({ ...reseed, yields: false }, { ...reseed, yields: true });
    machine.apply({ kind: 'offer', region: abroad, origin, first: 1, entries: [1, 2, 3].map(entry) });
    const shown = (): string[] =>
      ['k1', 'k2', 'k3'].filter((key) => {
        const record = machine.state.read(key);
        return record !== null && visiblePart(record.value) !== null;
      });
    expect(shown()).toEqual(['k1', 'k2', 'k3']);
    // That one has seen the first, deleted and forgotten it, and the delete of the second without the second itself.
    const context = CausalContext.of([{ replica: origin, sequence: 1 }]);
    const takenAway = TakenAway.empty();
    const observed = [{ replica: origin, sequence: 2 }];
    takenAway.note('k2', { type: 'delete', parts: [{ type: 'set', observed }] }, context);
    const values = ['k1', 'k2', 'k3'].map((key) => ({ key, value: null }));
    machine.apply(
      { kind: 'replaceValues', positions: new Map(), context, values, graves: [] },
      // prettier-ignore
      { kind: 'adopt', origins: [], context, takenAway, collected: outSince, buried: stampZero, replaces: true, out: [] },
    );
    expect(shown()).toEqual(['k3']);
  });

  it('while this region yielded goes to the ledger if a later delete is forgotten where the state comes from (I11)', () => {
    const machine = new Machine();
    machine.apply(out);
    const { header } = machine.state;
    const outSince = { wallMs: 900, counter: 0, replica: replicaId(5) };
    const reseed = { kind: 'reseed', from: abroad, ended: header.origin, outSince } as const;
    machine.apply({ ...reseed, yields: false }, { ...reseed, yields: true });
    const written = (wallMs: number, sequence: number, value: string | null): Operation => ({
      dot: { replica: origin, sequence },
      stamp: { wallMs, counter: 0, replica: origin },
      body: { type: 'register', value: value === null ? null : utf8Encode(value), replaces: null },
    });
    const names = ['older', 'later', 'unknown'];
    const effects = names.map((key, index) => ({
      key,
      op: written([900, 1_100, 940][index] as number, index + 1, 'x'),
    }));
    const entries = effects.map((effect) => encodeRegionEntry({ effects: [effect], settled: [] }));
    machine.apply({ kind: 'offer', region: abroad, origin, first: 1, entries });
    const tombstone = new ByteWriter(64);
    encodeValue(tombstone, operationDelta(written(1_000, 9, null)));
    const value = tombstone.finish();
    const graves = ['older', 'later'].map((key) => ({ key, value }));
    const values = names.map((key) => ({ key, value: null }));
    const context = CausalContext.empty();
    const takenAway = TakenAway.empty();
    // Over there it is not known either whether registers up to 950 were deleted later.
    const buried = { ...outSince, wallMs: 950 };
    machine.apply(
      { kind: 'replaceValues', positions: new Map(), context, values, graves },
      { kind: 'adopt', origins: [], context, takenAway, collected: outSince, buried, replaces: true, out: [] },
    );
    expect(names.map((key) => machine.state.read(key) !== null)).toEqual([false, true, false]);
    expect(header.context.has({ replica: origin, sequence: 1 })).toBe(true);
    // Each went there when the state was replaced, and the two that take no effect once more.
    expect(header.conflicts.next).toBe(5);
  });

  it('stays taken when a state is merged that has less of its log, as others were told of it (I9, seed 1087)', () => {
    const machine = new Machine();
    machine.remote(1, 1);
    machine.apply(out);
    machine.apply({ kind: 'offer', region: abroad, origin, first: 2, entries: [2, 3, 4].map(entry) });
    const origins = [{ origin, region: abroad, applied: 3, offered: 0 }];
    const context = CausalContext.empty();
    const takenAway = TakenAway.empty();
    machine.apply({
      kind: 'adopt',
      origins,
      context,
      takenAway,
      collected: stampZero,
      buried: stampZero,
      replaces: false,
      out: [],
    });
    expect([machine.applied, machine.state.regions.taken(origin)]).toEqual([3, 4]);
  });
});
