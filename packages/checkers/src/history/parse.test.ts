import { describe, expect, it } from 'vitest';
import { checkHistory } from '../check-history.ts';
import { encodeHistory } from './json-lines.ts';
import { HistoryError } from './events.ts';
import { detectFormat, parseHistory } from './parse.ts';
import { HistoryRecorder } from './recorder.ts';

const jepsen = (line: string): string => `INFO  jepsen.util - ${line.replaceAll(' ', '\t')}`.replaceAll('_', ' ');
const kv = (process: number, type: string, f: string, rest: string): string =>
  `{:process ${process}, :type :${type}, :f :${f}, ${rest}}`;

function errorOf(text: string): string {
  try {
    parseHistory(text);
  } catch (error) {
    if (error instanceof HistoryError) return error.message;
    throw error;
  }
  return 'no error';
}

describe('the format', () => {
  it('is told by the first line that is not blank', () => {
    expect(detectFormat(`\n\n${jepsen('0 :invoke :read nil')}`)).toBe('jepsen');
    expect(detectFormat(kv(0, 'invoke', 'get', ':key "4", :value nil'))).toBe('porcupine');
    expect(detectFormat('{"process":"c1"}')).toBe('skerry');
  });

  it('that is none is refused with its line', () => {
    expect(errorOf('')).toBe('line 1: the history is empty');
    expect(errorOf('\n  \nhello')).toMatch(/^line 3: no known history format/);
  });
});

describe('a Jepsen log', () => {
  it('may hold what tells no call, and is refused for a call that it does not know', () => {
    const call = [jepsen('0 :invoke :write 1'), jepsen('0 :ok :write 1')];
    const others = ['WARN  jepsen.core - Process 4 crashed', 'INFO  jepsen.util - :nemesis :info :start nil'];
    expect(parseHistory([...others, ...call, 'INFO  jepsen.core - Run complete'].join('\n')).events).toHaveLength(2);
    expect(errorOf(others.join('\n'))).toBe('line 1: the history is empty');
    expect(errorOf([...call, jepsen('0 :invoke :add 1')].join('\n'))).toMatch(/^line 3: not a Jepsen line/);
    expect(errorOf([...call, 'and then?'].join('\n'))).toMatch(/^line 3: not a Jepsen line/);
  });

  it('tells values, refusals and unknown outcomes', () => {
    const { events, initial } = parseHistory(
      [
        jepsen('0 :invoke :write 1'),
        jepsen('0 :info :write :timed-out'),
        jepsen('1 :invoke :cas [1_2]'),
        jepsen('1 :fail :cas [1_2]'),
        jepsen('2 :invoke :read nil'),
        jepsen('2 :fail :read :timed-out'),
        jepsen('3 :invoke :read nil'),
        jepsen('3 :ok :read nil'),
      ].join('\r\n'),
    );
    expect(initial).toBeNull();
    expect(events.map((event) => event.kind)).toEqual([
      'invoke',
      'info',
      'invoke',
      'ok',
      'invoke',
      'fail',
      'invoke',
      'ok',
    ]);
    expect(events[2]).toMatchObject({ input: { op: 'swap', oldValue: '1', newValue: '2' } });
    expect(events[3]).toMatchObject({ output: { outcome: 'refused' } });
    expect(events[7]).toMatchObject({ output: { outcome: 'read', value: null } });
  });

  it.each([
    [jepsen('0 :invoke :cas 3'), /^line 2: a cas wants \[old new\], found 3/],
    [jepsen('0 :invoke :write x'), /^line 2: a value is nil or a number, found x/],
    [jepsen('0 :invoke :read 3'), /^line 2: a read is invoked with nil/],
    [jepsen('0 :ok :read 3'), /^line 2: process 0 ends a call that it never invoked/],
    [jepsen('9 :invoke :read nil'), /^line 2: process 9 invokes get while its last call is open/],
    [jepsen('9 :ok :write 3'), /^line 2: process 9 ends another call than it invoked \(get\)/],
    [jepsen('9 :ok :read :timed-out'), /^line 2: an :ok that timed out/],
  ])('with a bad line %j is refused with its number', (line, message) => {
    expect(errorOf(`${jepsen('9 :invoke :read nil')}\n${line}`)).toMatch(message);
  });

  it('whose write ends with another value is refused', () => {
    expect(errorOf(`${jepsen('0 :invoke :write 1')}\n${jepsen('0 :ok :write 2')}`)).toMatch(
      /^line 2: process 0 ends another call/,
    );
  });
});

describe('a porcupine key-value log', () => {
  const text = (last: string): string =>
    [
      kv(0, 'invoke', 'put', ':key "4", :value "x \\"0\\" y"'),
      kv(1, 'invoke', 'append', ':key "4", :value "z"'),
      kv(0, 'ok', 'put', ':key "4", :value "x \\"0\\" y"'),
      kv(2, 'invoke', 'get', ':key "5", :value nil'),
      kv(2, 'ok', 'get', ':key "5", :value ""'),
      kv(2, 'invoke', 'get', ':key "4", :value nil'),
      kv(2, 'ok', 'get', `:key "4", :value "${last}"`),
      '',
    ].join('\n');

  it('is judged with empty strings at first and appends that may be open', () => {
    expect(checkHistory(text('x \\"0\\" yz'))).toMatchObject({ verdict: 'linearizable' });
    expect(checkHistory(text('x \\"0\\" y'))).toMatchObject({ verdict: 'linearizable' });
    expect(checkHistory(text('z'))).toMatchObject({ verdict: 'violated', key: '4' });
    expect(checkHistory(text('x \\"0\\" yzz'))).toMatchObject({ verdict: 'violated', key: '4' });
  });

  it.each([
    ['{:process 0}', /^line 2: not a porcupine line/],
    [kv(0, 'invoke', 'get', ':key "4", :value "1"'), /^line 2: a get is invoked with nil/],
    [kv(0, 'invoke', 'put', ':key "4", :value nil'), /^line 2: put needs a value/],
    [kv(0, 'ok', 'get', ':key "4", :value "1"'), /^line 2: process 0 ends a call that it never invoked/],
    [kv(9, 'ok', 'get', ':key "4", :value nil'), /^line 2: a get that is :ok needs a value/],
    [kv(9, 'ok', 'get', ':key "5", :value "1"'), /^line 2: process 9 ends another call/],
    [kv(0, 'invoke', 'put', ':key "4", :value "\\q"'), /^line 2: bad escape/],
  ])('with a bad line %j is refused with its number', (line, message) => {
    expect(errorOf(`${kv(9, 'invoke', 'get', ':key "4", :value nil')}\n${line}`)).toMatch(message);
  });
});

describe('JSON lines', () => {
  it('read back what the recorder wrote', () => {
    let nowMs = 0;
    const recorder = new HistoryRecorder({ nowMs: () => nowMs++ });
    const first = recorder.invoke(
      'c1',
      { op: 'set', key: 'a\n"', value: 'ä' },
      { node: 'n1', region: 'r1', consistent: false },
    );
    first.accepted('7');
    recorder.invoke('c2', { op: 'get', key: 'a\n"' }).ok({ outcome: 'read', value: 'ä', version: '7', behind: true });
    first.ok({ outcome: 'applied', version: '6' });
    recorder
      .invoke('c2', { op: 'swap', key: 'b', oldValue: null, newValue: '1' })
      .ok({ outcome: 'refused', current: null });
    recorder.invoke('c2', { op: 'swap', key: 'b', oldValue: '2', newValue: null }).ok({ outcome: 'refused' });
    recorder.invoke('c2', { op: 'delete', key: 'b' }).fail();
    recorder.invoke('c2', { op: 'append', key: 'b', value: '' }).info();
    const history = recorder.history();
    const text = encodeHistory(history);
    expect(parseHistory(text)).toEqual(JSON.parse(JSON.stringify(history)));
    expect(text.split('\n')[0]).toBe(
      '{"process":"c1","call":0,"kind":"invoke","timeMs":0,"op":"set","key":"a\\n\\"","value":"ä","consistent":false,"node":"n1","region":"r1"}',
    );
  });

  const invoke = '{"process":"c","call":9,"kind":"invoke","timeMs":0,"op":"get","key":"a"}';
  it.each([
    ['{', /^line 2: not JSON/],
    ['[1]', /^line 2: not a JSON object/],
    ['{"process":1}', /^line 2: "process" must be a string, found 1/],
    ['{"process":"c","call":-1}', /^line 2: "call" must be an integer from 0, found -1/],
    ['{"process":"c","call":1,"timeMs":"x"}', /^line 2: "timeMs" must be a number, found "x"/],
    [
      '{"process":"c","call":1,"timeMs":1,"kind":"done"}',
      /^line 2: "kind" must be invoke, accepted, ok, fail or info, found "done"/,
    ],
    ['{"process":"c","call":1,"timeMs":1,"kind":"invoke","op":"put","key":"a"}', /^line 2: "op" must be get/],
    [
      '{"process":"c","call":1,"timeMs":1,"kind":"invoke","op":"set","key":"a"}',
      /^line 2: "value" must be a string, found nothing/,
    ],
    [
      '{"process":"c","call":1,"timeMs":1,"kind":"invoke","op":"get","key":"a","consistent":1}',
      /^line 2: "consistent" must be true or false/,
    ],
    [
      '{"process":"c","call":9,"timeMs":1,"kind":"ok","outcome":"good"}',
      /^line 2: "outcome" must be read, applied or refused/,
    ],
    [
      '{"process":"c","call":9,"timeMs":1,"kind":"ok","outcome":"read"}',
      /^line 2: "value" must be a string or null, found nothing/,
    ],
    ['{"process":"c","call":1,"timeMs":1,"kind":"fail"}', /^line 2: call 1 ends \(fail\) but was never invoked/],
    [invoke, /^line 2: call 9 is invoked twice/],
    [
      '{"process":"c","call":9,"timeMs":1,"kind":"fail"}\n{"process":"c","call":9,"timeMs":1,"kind":"fail"}',
      /^line 3: call 9 ends twice/,
    ],
    ['{"process":"d","call":9,"timeMs":1,"kind":"fail"}', /^line 2: call 9 is of process c, not d/],
  ])('with a bad line %j are refused with its number', (line, message) => {
    expect(errorOf(`${invoke}\n${line}`)).toMatch(message);
  });
});

describe('the recorder', () => {
  it('completes a call once', () => {
    const call = new HistoryRecorder({ nowMs: () => 0 }).invoke('c', { op: 'get', key: 'a' });
    call.info();
    expect(() => {
      call.fail();
    }).toThrow('a call is completed once');
    expect(() => {
      call.accepted();
    }).toThrow('a call is accepted once, before it is completed');
  });
});
