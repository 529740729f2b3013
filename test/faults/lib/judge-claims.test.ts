import { describe, expect, it } from 'vitest';
import { judgeClaims } from './judge-claims.ts';
import type { Claim, Journal, JournalLine } from './log-journals.ts';

const lines = ['a', 'b', 'c', 'd', 'e', 'f'];
const ranges = [
  { from: 0, to: 2 },
  { from: 2, to: 4 },
  { from: 4, to: 6 },
];

function given({ from, to }: Claim): JournalLine[] {
  const text = lines.slice(from, to).map((line) => `${line}\n`);
  return [{ kind: 'ask' }, { kind: 'given', from, to, text: text.join('') }];
}

function lived(name: string, ...claims: readonly Claim[]): Journal {
  return { name, lines: claims.flatMap(given), cutShort: false, lastClaim: null };
}

function died(name: string, claim: Claim | null): Journal {
  return { name, lines: [{ kind: 'ask' }], cutShort: true, lastClaim: claim };
}

const [first, second, third] = ranges as [Claim, Claim, Claim];
const violations = (journals: readonly Journal[], changes: readonly Claim[] = ranges): readonly string[] =>
  judgeClaims({ lines, ranges: changes, journals }).violations;

describe('the judge of getLastLog', () => {
  it('is content when each answer was written down once or was the last claim of a caller that died', () => {
    const journals = [lived('x', first, third), died('y', second), died('z', null)];
    expect(judgeClaims({ lines, ranges, journals })).toEqual({ violations: [], calls: 2, cutShort: 2, lost: 1 });
  });

  it('finds an answer that reached nobody though none of those who died had claimed it', () => {
    expect(violations([lived('x', first, third), died('y', null)])).toHaveLength(1);
    expect(violations([lived('x', first, third), died('y', { from: 2, to: 3 })])).toHaveLength(1);
  });

  it('finds two answers that died although only one caller did', () => {
    expect(violations([lived('x', first), died('y', second)])).toHaveLength(1);
  });

  it('finds an answer that was returned in part, or two changes of the position taken for one', () => {
    const merged = [first, { from: 2, to: 6 }];
    expect(violations([lived('x', first, third), died('y', second)], merged)).toHaveLength(1);
  });

  it('finds a record that was returned twice, other records than those of the log, and a call that failed', () => {
    expect(violations([lived('x', ...ranges), lived('y', second)])).toContain('record 2 was returned to x and to y');
    const wrong: Journal = { ...lived('y'), lines: [{ kind: 'given', from: 4, to: 6, text: 'e\ng\n' }] };
    expect(violations([lived('x', first, second), wrong])).toHaveLength(1);
    const failed: Journal = { ...lived('y'), lines: [{ kind: 'failed', message: 'no' }] };
    expect(violations([lived('x', ...ranges), failed])).toEqual(['y: a call failed: no']);
  });

  it('finds records at the end of the log that nobody claimed', () => {
    expect(violations([lived('x', first, second)], [first, second])).toEqual(['4 records of 6 were returned']);
  });
});
