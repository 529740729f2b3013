import { HistoryRecorder, type Dump } from '@skerry/checkers';
import { describe, expect, it } from 'vitest';
import type { CallerRound } from './callers.ts';
import { Tally, voidTrialsMax } from './fault-run.ts';
import { judgeCallers } from './judge-callers.ts';

describe('the judge of a trial', () => {
  it('accepts what happened', () => {
    expect(judgeCallers(roundOf(), { dumps: [dump('n1', 'b', '2'), dump('n2', 'b', '2')], totals: totals(2) })).toEqual(
      [],
    );
  });

  it('sees an acknowledged write that a node lost', () => {
    const problems = judgeCallers(roundOf(), {
      dumps: [dump('n1', 'b', '2'), dump('n2', 'a', '1')],
      totals: totals(2),
    });
    expect(problems.join()).toContain('I4');
  });

  it('sees an addition that counted twice, or not', () => {
    for (const total of [1, 3])
      expect(judgeCallers(roundOf(), { dumps: [dump('n1', 'b', '2')], totals: totals(total) }).join()).toContain('I7');
  });

  it('sees a stale consistent read, also one that says that it is behind', () => {
    for (const behind of [false, true]) {
      const round = roundOf({ value: 'a', version: '1', behind });
      expect(judgeCallers(round, { dumps: [dump('n1', 'b', '2')], totals: totals(2) }).join()).toContain(
        'not linearizable',
      );
    }
  });
});

describe('the tally of a run', () => {
  const counts = new Map<string, number>();

  it('calls a trial void that held less than 100 calls per second, and counts nothing of it', () => {
    const tally = new Tally();
    expect(tally.note({ calls: 999, seconds: 10, counts: new Map([['refused', 1]]) })).toBe(false);
    expect(tally.note({ calls: 1_000, seconds: 10, counts })).toBe(true);
    const figures = new Map(tally.report(['refused']).figures.map(({ name, value }) => [name, value]));
    expect(figures.get('calls answered')).toBe(1_000);
    expect(figures.get('sometimes: refused')).toBe(0);
    expect(figures.get('void trials, made once more')).toBe(1);
  });

  it('fails a run of which too many trials were void', () => {
    const tally = new Tally();
    for (let trial = 1; trial < voidTrialsMax; trial++) tally.note({ calls: 1, seconds: 1, counts });
    expect(tally.report([]).violations).toEqual([]);
    tally.note({ calls: 1, seconds: 1, counts });
    expect(tally.report([]).violations).toEqual([expect.stringContaining('void')]);
  });

  it('fails a run that never met what it was to meet', () => {
    const tally = new Tally();
    tally.event('seen');
    tally.require(['seen', 'unseen']);
    expect(tally.report([]).violations).toEqual([expect.stringContaining('unseen')]);
  });
});

function roundOf(read = { value: 'b', version: '2', behind: false }): CallerRound {
  const recorder = new HistoryRecorder({ nowMs: () => 0 });
  recorder.invoke('c1', { op: 'set', key: 'k', value: 'a' }).ok({ outcome: 'applied', version: '1' });
  recorder.invoke('c1', { op: 'set', key: 'k', value: 'b' }).ok({ outcome: 'applied', version: '2' });
  recorder.invoke('c2', { op: 'get', key: 'k' }).ok({ outcome: 'read', ...read });
  const additions = [1, 2].map(() => ({ key: 'sum', amount: 1, outcome: 'applied' as const }));
  const local = new HistoryRecorder({ nowMs: () => 0 }).history();
  return {
    prefix: '',
    history: recorder.history(),
    local,
    versions: [],
    additions,
    problems: [],
    calls: 1,
    seconds: 1,
    counts: new Map(),
  };
}

function dump(node: string, value: string, version: string): Dump {
  return { node, entries: new Map([['k', { value, version }]]) };
}

function totals(total: number): { node: string; totals: Map<string, number> }[] {
  return [{ node: 'n1', totals: new Map([['sum', total]]) }];
}
