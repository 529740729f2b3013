import { partitionId, replicaId } from '@skerry/base';
import { partitionOf } from '@skerry/protocol';
import type { KeyAnswer, Seen } from '@skerry/replica';
import { afterEach, describe, expect, test } from 'vitest';
import { FaceHarness } from '../testing/face-harness.ts';
import { CausalToken, sessionHeader } from './causal-token.ts';

type SeenPartition = Seen['partitions'][number];

/** Positions of origins 10 and 11, and the settled writes of replica 1. */
function seen(partition: number, [ten, eleven]: readonly [number, number], settled: number): SeenPartition {
  return {
    partition: partitionId(partition),
    positions: [
      { origin: replicaId(10), sequence: ten },
      { origin: replicaId(11), sequence: eleven },
    ],
    promoted: { replica: replicaId(1), sequence: settled },
  };
}
const accepted = (dot: string, partition = 0): KeyAnswer => ({
  kind: 'key',
  valid: true,
  timeout: false,
  value: null,
  version: '1',
  receipt: `region-1:${partition}:${dot}`,
});

describe('what a caller has seen', () => {
  test('is the farthest position of each origin', () => {
    const token = CausalToken.parse('', 4);
    token.fold(seen(0, [5, 300], 0));
    token.fold(seen(0, [7, 200], 0));
    expect(token.toString()).toBe('0:a-7+b-300:');
    expect(token.after(0)).toEqual({
      positions: [
        { origin: 10, sequence: 7 },
        { origin: 11, sequence: 300 },
      ],
      dots: [],
    });
    expect(token.after(1)).toBeNull();
  });

  test('has its own pending writes until a position covers them', () => {
    const token = CausalToken.parse('', 4);
    token.fold(seen(0, [5, 0], 0));
    for (const dot of ['000000000001-3', '000000000001-4', '000000000002-1']) token.wrote(accepted(dot));
    expect(token.toString()).toBe('0:a-5+b-0:1-3+1-4+2-1');
    token.fold(seen(0, [6, 0], 3));
    expect(token.toString()).toBe('0:a-6+b-0:1-4+2-1');
    token.wrote({ ...accepted(''), receipt: 'opaque' });
    expect(token.after(0)?.dots).toEqual([
      { replica: 1, sequence: 4 },
      { replica: 2, sequence: 1 },
    ]);
  });

  test('of one partition leaves the others as they were, and reads back from its text', () => {
    const text = '3:a-1:ff-2/0:a-5+b-0:';
    const token = CausalToken.parse(text, 4);
    expect(token.toString()).toBe(text);
    token.fold(seen(0, [6, 0], 9));
    expect(token.toString()).toBe('3:a-1:ff-2/0:a-6+b-0:');
    expect(CausalToken.parse(token.toString(), 4).after(3)).toEqual({
      positions: [{ origin: 10, sequence: 1 }],
      dots: [{ replica: 255, sequence: 2 }],
    });
  });

  test('stays short enough for a header, however many writes are pending', () => {
    const token = CausalToken.parse('', 4);
    for (let sequence = 1; sequence <= 150; sequence++) token.wrote(accepted(`000000000001-${sequence}`));
    expect(token.after(0)?.dots.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 100 }, (_, at) => at + 51),
    );
  });

  test.each([
    '0',
    '0:a-5',
    '0:a:',
    '0:a-5+:',
    '0:a-5:1-',
    '0:x-5:',
    '4:a-5:',
    '0:a-99999999999999999:',
    '0:1000000000000-1:',
    '0:a-5:/',
    '01:a-5:',
  ])('is not read from %j', (text) => {
    expect(() => CausalToken.parse(text, 4)).toThrow('BAD_REQUEST');
  });
});

describe('a session over HTTP', () => {
  let face: FaceHarness;
  afterEach(() => face.face.terminate());
  const key = Array.from({ length: 20 }, (_, at) => `k${at}`).find((name) => partitionOf(name, 4) === 2) ?? '';

  test('is handed out with every answer about a key, and what it has seen goes with reads and not with writes', async () => {
    face = new FaceHarness(() => ({ kind: 'key', valid: true, timeout: false, value: null, version: null }));
    face.seen = { version: 1, partitions: [seen(0, [9, 9], 9), seen(2, [5, 300], 0)] };
    const written = await face.call('PUT', `/v1/kv/${key}`, { body: 'v' });
    expect(written.headers[sessionHeader]).toBe('2:a-5+b-300:');
    const headers = { [sessionHeader]: '2:c-8:1-3' };
    for (const path of ['kv', 'counter']) {
      const { headers: told } = await face.call('GET', `/v1/${path}/${key}`, { headers });
      expect(told[sessionHeader]).toBe('2:c-8+a-5+b-300:1-3');
    }
    await face.call('POST', `/v1/counter/${key}`, { headers, body: { add: 1 } });
    const after = { positions: [{ origin: 12, sequence: 8 }], dots: [{ replica: 1, sequence: 3 }] };
    expect(face.asked.map((request) => [request.operation.kind, request.after])).toEqual([
      ['set', undefined],
      ['get', after],
      ['read', after],
      ['update', undefined],
    ]);
  });

  test('names the pending write that was accepted', async () => {
    face = new FaceHarness(() => accepted('000000000001-7', 2));
    face.seen = { version: 1, partitions: [seen(2, [5, 0], 6)] };
    const { headers } = await face.call('PUT', `/v1/flag/${key}?consistent=false`, { body: { enabled: true } });
    expect(headers[sessionHeader]).toBe('2:a-5+b-0:1-7');
  });

  test('that is none of this cluster is refused', async () => {
    face = new FaceHarness(() => ({ kind: 'done' }));
    const response = await face.call('GET', '/v1/kv/k', { headers: { [sessionHeader]: '4:a-5:' } });
    expect(response).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
    expect(face.asked).toEqual([]);
  });

  test('whose node could not catch up in time is told so', async () => {
    face = new FaceHarness(() => ({
      kind: 'key',
      valid: true,
      timeout: false,
      value: null,
      version: '1',
      behind: true,
    }));
    expect(
      (await face.call('GET', '/v1/kv/k?timeout=5', { headers: { [sessionHeader]: '0:a-5:' } })).body,
    ).toMatchObject({ behind: true });
  });
});
