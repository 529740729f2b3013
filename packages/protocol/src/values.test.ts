import { replicaId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { decodeClientFrame, decodeServerFrame, encodeFrame } from './codec.ts';
import type { ClientMessage, RequestMessage, ServerMessage } from './messages.ts';
import type { KeyAnswer, ValueChange, ValueView } from './operations.ts';
import { packWire, unpackWire, type Wire } from './wire.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const id = { client: '0'.repeat(32) as never, sequence: 1, answeredBelow: 1, retry: false };
const update = (change: ValueChange): RequestMessage => ({
  kind: 'request',
  requestId: 7,
  timeoutMs: null,
  id,
  operation: { kind: 'update', key: 'k', change, consistent: true },
});
const shown = (view: ValueView): ServerMessage => {
  const answer: KeyAnswer = { kind: 'key', valid: true, timeout: false, value: null, version: '1', view };
  return { kind: 'answer', requestId: 7, answer };
};
/** The wire of the change in a frame that holds one update. */
const changeOf = (frame: Uint8Array): Wire => (((unpackWire(frame) as Wire[])[0] as Wire[])[4] as Wire[])[2] as Wire;
const viewOf = (frame: Uint8Array): Wire => (((unpackWire(frame) as Wire[])[0] as Wire[])[2] as Wire[])[8] as Wire;

/** Clients in other languages are written against these bytes; they change only with the version of the protocol. */
describe('the bytes of version 2', () => {
  it.each<[string, ClientMessage, string]>([
    [
      'a read that waits for what its session saw',
      {
        kind: 'request',
        requestId: 9,
        timeoutMs: 50,
        operation: { kind: 'read', key: 'n', type: 'counter', consistent: false },
        after: { positions: [{ origin: replicaId(5), sequence: 300 }], dots: [{ replica: replicaId(6), sequence: 1 }] },
      },
      '9196010932c09510a16e02c2c092919205cd012c91920601',
    ],
    [
      'an update of a counter',
      update({ type: 'counter', action: 'add', amount: -3 }),
      `919601 07c094d920${'30'.repeat(32)}0101c2 9511a16b9201fdc3c0 c0`,
    ],
  ])('%s', (_, message, bytes) => {
    const frame = Buffer.from(bytes.replaceAll(' ', ''), 'hex');
    expect(hex(encodeFrame([message]))).toBe(hex(frame));
    expect(decodeClientFrame(frame)).toEqual([message]);
  });

  it.each<[string, ServerMessage, string]>([
    [
      'the view of a flag, from a node that is behind',
      {
        kind: 'answer',
        requestId: 9,
        answer: {
          kind: 'key',
          valid: true,
          timeout: false,
          value: null,
          version: '4',
          view: { type: 'flag', enabled: true },
          behind: true,
        },
      },
      '919301099a00c3c2c0a134c0c0c09204c3c3',
    ],
    [
      'what a node has applied',
      {
        kind: 'seen',
        partitions: [
          {
            partition: 1,
            positions: [{ origin: replicaId(5), sequence: 300 }],
            promoted: { replica: replicaId(6), sequence: 2 },
          },
        ],
      },
      '919205919301919205cd012c920602',
    ],
  ])('%s', (_, message, bytes) => {
    expect(hex(encodeFrame([message]))).toBe(bytes);
    expect(decodeServerFrame(Buffer.from(bytes, 'hex'))).toEqual([message]);
  });

  it.each<[ValueChange, Wire]>([
    [{ type: 'multiRegister', value: Uint8Array.of(1), context: null }, [0, Uint8Array.of(1), null]],
    [{ type: 'counter', action: 'add', amount: Number.MIN_SAFE_INTEGER }, [1, Number.MIN_SAFE_INTEGER]],
    [{ type: 'counter', action: 'reset' }, [2]],
    [{ type: 'set', action: 'add', element: Uint8Array.of(1) }, [3, Uint8Array.of(1)]],
    [{ type: 'set', action: 'remove', element: Uint8Array.of(1) }, [4, Uint8Array.of(1)]],
    [{ type: 'flag', action: 'enable' }, [5]],
    [{ type: 'flag', action: 'disable' }, [6]],
    [{ type: 'document', action: 'change', bytes: Uint8Array.of(1), operations: 2 }, [7, Uint8Array.of(1), 2]],
    [
      { type: 'document', action: 'compact', bytes: Uint8Array.of(1), operations: 2, context: 'c' },
      [8, Uint8Array.of(1), 2, 'c'],
    ],
  ])('the change %j', (change, wire) => {
    expect(changeOf(encodeFrame([update(change)]))).toEqual(wire);
  });

  it.each<[ValueView, Wire]>([
    [{ type: 'register', value: Uint8Array.of(1) }, [0, Uint8Array.of(1)]],
    [
      { type: 'multiRegister', values: [Uint8Array.of(1), Uint8Array.of()], context: 'c' },
      [1, [Uint8Array.of(1), Uint8Array.of()], 'c'],
    ],
    [{ type: 'counter', total: '-12345678901234567890' }, [2, '-12345678901234567890']],
    [{ type: 'set', elements: [Uint8Array.of(1)] }, [3, [Uint8Array.of(1)]]],
    [{ type: 'flag', enabled: false }, [4, false]],
    [{ type: 'document', chunks: [Uint8Array.of(1)], operations: 2, context: 'c' }, [5, [Uint8Array.of(1)], 2, 'c']],
  ])('the view %j', (view, wire) => {
    expect(viewOf(encodeFrame([shown(view)]))).toEqual(wire);
  });
});

describe('a change that is not one', () => {
  const refused = (change: Wire): unknown => {
    const wire = unpackWire(encodeFrame([update({ type: 'counter', action: 'reset' })])) as Wire[][][];
    ((wire[0] as Wire[][])[4] as Wire[])[2] = change;
    return decodeClientFrame(packWire(wire))[0];
  };

  it.each<[string, Wire]>([
    ['an amount that is no whole number', [1, 1.5]],
    ['an amount that no double holds exactly', [1, 2 ** 53]],
    ['an unknown change', [9]],
    ['a document of a negative number of operations', [7, Uint8Array.of(), -1]],
    ['text for bytes', [3, 'a']],
  ])('is refused: %s', (_, change) => {
    expect(refused(change)).toMatchObject({ kind: 'refused', requestId: 7, code: 'BAD_REQUEST' });
  });

  it.each<Wire>(['', '-', '-0', '01', '1.0', '1e3', 5])('a total of %j is no decimal', (total) => {
    const wire = unpackWire(encodeFrame([shown({ type: 'counter', total: '0' })])) as Wire[][];
    ((wire[0] as Wire[])[2] as Wire[])[8] = [2, total];
    expect(() => decodeServerFrame(packWire(wire))).toThrow('MALFORMED_FRAME');
  });
});
