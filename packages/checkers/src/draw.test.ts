import { describe, expect, it } from 'vitest';
import { checkHistory, judgeHistory } from './check-history.ts';
import { encodeHistory } from './history/json-lines.ts';
import { HistoryRecorder } from './history/recorder.ts';
import { drawSvg, drawText } from './draw.ts';
import type { Operation } from './model.ts';

function staleRead(): HistoryRecorder {
  let nowMs = 0;
  const recorder = new HistoryRecorder({ nowMs: () => nowMs++ });
  const open = recorder.invoke('c3', { op: 'set', key: 'k', value: 'never seen' });
  recorder.invoke('c1', { op: 'set', key: 'k', value: '1' }).ok({ outcome: 'applied' });
  const overlapping = recorder.invoke('c2', { op: 'swap', key: 'k', oldValue: '1', newValue: '<2>' });
  recorder.invoke('c1', { op: 'get', key: 'k' }).ok({ outcome: 'read', value: '<2>' });
  overlapping.ok({ outcome: 'applied' });
  recorder.invoke('c1', { op: 'get', key: 'k' }).ok({ outcome: 'read', value: '1' });
  open.info();
  return recorder;
}

describe('checkHistory', () => {
  it('explains a violation with the operations that show it', () => {
    const result = checkHistory(encodeHistory(staleRead().history()));
    if (result.verdict !== 'violated') throw new Error(`the read is stale, found ${result.verdict}`);
    expect(result.key).toBe('k');
    expect(result.counterexample).toMatchObject({ minimal: true, blocked: { id: 4 } });
    expect(result.counterexample.explanation).toBe(
      '3 of 5 operations of the key cannot be put in any order that their times allow: nothing explains get("k") -> "1" by c1',
    );
    expect(`\n${result.counterexample.text}`).toBe(`
  c1  |-|            set("k", "1") -> applied
  c2      |-|        swap("k", "1" to "<2>") -> applied
! c1          |-|    get("k") -> "1"
`);
  });

  it('tells each region by itself, with writes of the others arriving when they like', () => {
    const recorder = new HistoryRecorder({ nowMs: () => 0 });
    recorder.invoke('c1', { op: 'set', key: 'k', value: 'east' }, { region: 'east' }).ok({ outcome: 'applied' });
    recorder.invoke('c2', { op: 'get', key: 'k' }, { region: 'west' }).ok({ outcome: 'read', value: null });
    recorder.invoke('c2', { op: 'get', key: 'k' }, { region: 'west' }).ok({ outcome: 'read', value: 'east' });
    expect(judgeHistory(recorder.history()).verdict).toBe('linearizable');
    recorder.invoke('c2', { op: 'get', key: 'k' }, { region: 'west' }).ok({ outcome: 'read', value: null });
    expect(judgeHistory(recorder.history())).toMatchObject({ verdict: 'violated', region: 'west', key: 'k' });
  });

  it('says unknown, where and why, when a limit ends the search', () => {
    expect(judgeHistory(staleRead().history(), { stepsMax: 2 })).toMatchObject({
      verdict: 'unknown',
      key: 'k',
      reason: 'steps',
    });
  });
});

describe('a drawing', () => {
  const operations: Operation<string, string>[] = [
    { id: 0, process: 'a', input: '<x & "y">\u0000', callAt: 0, completion: { kind: 'returned', output: 'o', at: 20 } },
    { id: 1, process: 'long', input: 'in', callAt: 10, completion: { kind: 'unknown' } },
  ];
  const describeOperation = (input: string, output: string | null): string => `${input}:${output ?? '?'}`;

  it('marks overlap, unknown outcomes and the blocked operation', () => {
    expect(
      drawText({
        describe: describeOperation,
        operations: operations.map((each) => ({ ...each, input: 'in' })),
        blocked: operations[0],
      }),
    ).toBe('! a     |---|    in:o\n' + '  long    |--->  in:?\n');
  });

  it('as SVG escapes what it is given', () => {
    const svg = drawSvg({ describe: describeOperation, operations });
    expect(svg).toContain('&lt;x &amp; &quot;y&quot;&gt;\ufffd:o');
    expect(svg).not.toContain('<x');
    expect(svg.match(/<g>/g)).toHaveLength(2);
    expect(svg).toMatch(/^<svg xmlns[^]*<\/svg>\n$/);
  });

  it('of nothing is empty', () => {
    expect(drawText({ describe: describeOperation, operations: [] })).toBe('');
    expect(drawSvg({ describe: describeOperation, operations: [] })).toContain('</svg>');
  });

  it('of many operations keeps to a width', () => {
    const many = Array.from({ length: 200 }, (_, id): Operation<string, string> => ({
      id,
      process: 'p',
      input: 'i',
      callAt: 2 * id,
      completion: { kind: 'returned', output: 'o', at: 2 * id + 1 },
    }));
    expect(
      Math.max(
        ...drawText({ describe: describeOperation, operations: many })
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBeLessThan(120);
  });
});
