import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { decodeClientFrame, decodeServerFrame, encodeFrame } from './codec.ts';
import { ProtocolError } from './errors.ts';
import type { ClientMessage, RequestMessage } from './messages.ts';
import { clientMessageSchema, serverMessageSchema } from './schemas.ts';
import { clientMessages, serverMessages, wires } from './testing/arbitraries.ts';
import { packWire, unpackWire, wireDepthMax, type Wire } from './wire.ts';

const get: RequestMessage = {
  kind: 'request',
  requestId: 7,
  operation: { kind: 'get', key: 'k', consistent: true },
  timeoutMs: null,
};

/** The messages, or the code of the error. */
function outcome<T>(decode: () => T): T | string {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

/** `wire` with the element at a place that `choice` picks put in place of another. */
function mutate(wire: Wire, choice: readonly number[], replacement: Wire): Wire {
  if (!Array.isArray(wire) || wire.length === 0 || choice.length === 0) return replacement;
  const copy: Wire[] = [...wire];
  const at = (choice[0] as number) % copy.length;
  copy[at] = mutate(copy[at] as Wire, choice.slice(1), replacement);
  return copy;
}

describe('a frame', () => {
  it('of a client decodes to the messages that were encoded', () => {
    fc.assert(
      fc.property(fc.array(clientMessages, { maxLength: 5 }), (messages) => {
        expect(decodeClientFrame(encodeFrame(messages))).toEqual(messages);
      }),
    );
  });

  it('of a server decodes to the messages that were encoded', () => {
    fc.assert(
      fc.property(fc.array(serverMessages, { maxLength: 5 }), (messages) => {
        expect(decodeServerFrame(encodeFrame(messages))).toEqual(messages);
      }),
    );
  });

  it('gives bytes as views of itself, plain ones also of a Buffer', () => {
    const value = new Uint8Array([1, 2, 3]);
    const id = { client: '0'.repeat(32) as never, sequence: 1, answeredBelow: 1, retry: false };
    const frame = Buffer.from(
      encodeFrame([{ ...get, operation: { kind: 'set', key: 'k', value, consistent: true }, id }]),
    );
    const [message] = decodeClientFrame(frame) as [RequestMessage];
    const decoded = (message.operation as { value: Uint8Array }).value;
    expect(decoded.constructor).toBe(Uint8Array);
    expect(decoded.buffer).toBe(frame.buffer);
    expect([...decoded]).toEqual([1, 2, 3]);
  });

  it('is not overwritten by the next one', () => {
    const first = encodeFrame([get]);
    const copy = first.slice();
    for (let i = 0; i < 1_000; i++) encodeFrame([{ ...get, requestId: i }]);
    expect(first).toEqual(copy);
  });
});

describe('the checks of the codec', () => {
  it('let nothing through that the schemas refuse', () => {
    fc.assert(
      fc.property(clientMessages, fc.array(fc.nat(), { maxLength: 5 }), wires, (message, path, junk) => {
        const wire = mutate(unpackWire(encodeFrame([message])), [0, ...path], junk);
        const decoded = outcome(() => decodeClientFrame(packWire(wire)));
        if (typeof decoded === 'string') return;
        for (const each of decoded) if (each.kind !== 'refused') expect(clientMessageSchema.parse(each)).toEqual(each);
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(serverMessages, fc.array(fc.nat(), { maxLength: 6 }), wires, (message, path, junk) => {
        const wire = mutate(unpackWire(encodeFrame([message])), [0, ...path], junk);
        const decoded = outcome(() => decodeServerFrame(packWire(wire)));
        if (typeof decoded !== 'string')
          for (const each of decoded) expect(serverMessageSchema.parse(each)).toEqual(each);
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuse nothing that the schemas let through', () => {
    fc.assert(
      fc.property(clientMessages, fc.nat(), fc.oneof(wires, fc.constant('\ud800')), (message, choice, junk) => {
        const changed = changeLeaf(message, choice, junk);
        const parsed = clientMessageSchema.safeParse(changed);
        if (!parsed.success) return;
        expect(decodeClientFrame(encodeFrame([parsed.data]))).toEqual([parsed.data]);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** A copy of `value` with one leaf, picked by `choice`, replaced. */
function changeLeaf(value: ClientMessage, choice: number, junk: unknown): unknown {
  const copy = structuredClone(value) as unknown as Record<string, unknown>;
  let at = copy;
  let rest = choice;
  for (;;) {
    const keys = Object.keys(at);
    if (keys.length === 0) return copy;
    const key = keys[rest % keys.length] as string;
    rest = Math.floor(rest / keys.length);
    const next = at[key];
    if (typeof next !== 'object' || next === null || next instanceof Uint8Array || Object.keys(next).length === 0) {
      at[key] = junk;
      return copy;
    }
    at = next as Record<string, unknown>;
  }
}

describe('a bad request in a good frame', () => {
  const refused = (change: (wire: Wire[]) => void): unknown => {
    const wire = unpackWire(encodeFrame([get])) as Wire[][];
    change(wire[0] as Wire[]);
    const [first, second] = decodeClientFrame(packWire([...wire, unpackOne({ ...get, requestId: 8 })]));
    expect(second).toEqual({ ...get, requestId: 8 });
    return first;
  };
  const unpackOne = (message: ClientMessage): Wire => (unpackWire(encodeFrame([message])) as Wire[])[0] as Wire;

  it('is refused alone when its key is not UTF-8, and the frame goes on', () => {
    const frame = encodeFrame([{ ...get, operation: { kind: 'get', key: 'abc', consistent: true } }, get]).slice();
    frame[frame.indexOf(0x62)] = 0xff;
    expect(decodeClientFrame(frame)).toMatchObject([{ kind: 'refused', requestId: 7, code: 'KEY_NOT_UTF8' }, get]);
  });

  it('is refused for a lone surrogate in its key', () => {
    expect(
      refused((wire) => {
        wire[4] = [0, 'a\ud800', true, null];
      }),
    ).toMatchObject({ code: 'KEY_NOT_UTF8' });
  });

  it.each<[string, string, (wire: Wire[]) => void]>([
    [
      'an operation that is not known',
      'UNKNOWN_OPERATION',
      (wire) => {
        wire[4] = [99];
      },
    ],
    [
      'a field more than is known',
      'UNKNOWN_FIELD',
      (wire) => {
        wire[4] = [0, 'k', true, null, 'more'];
      },
    ],
    [
      'an element more than is known',
      'UNKNOWN_FIELD',
      (wire) => {
        wire.push(1);
      },
    ],
    [
      'a missing field',
      'BAD_REQUEST',
      (wire) => {
        wire[4] = [0, 'k'];
      },
    ],
    [
      'a number for a key',
      'BAD_REQUEST',
      (wire) => {
        wire[4] = [0, 5, true, null];
      },
    ],
    [
      'a negative timeout',
      'BAD_REQUEST',
      (wire) => {
        wire[2] = -1;
      },
    ],
    [
      'a write without an id',
      'BAD_REQUEST',
      (wire) => {
        wire[4] = [3, 'k', true, null];
      },
    ],
    [
      'a read with an id',
      'BAD_REQUEST',
      (wire) => {
        wire[3] = ['0'.repeat(32), 1, 1, false];
      },
    ],
    [
      'a missing after',
      'BAD_REQUEST',
      (wire) => {
        wire.pop();
      },
    ],
    [
      'an after on what is not a read',
      'BAD_REQUEST',
      (wire) => {
        wire[4] = [13];
        wire[5] = [[], []];
      },
    ],
    [
      'an after of one list only',
      'BAD_REQUEST',
      (wire) => {
        wire[5] = [[]];
      },
    ],
    [
      'a position of no replica',
      'BAD_REQUEST',
      (wire) => {
        wire[5] = [[[2 ** 48, 1]], []];
      },
    ],
  ])('is refused alone for %s', (_, code, change) => {
    expect(refused(change)).toMatchObject({ kind: 'refused', requestId: 7, code });
  });
});

describe('a frame of garbage', () => {
  const codeOf = (bytes: readonly number[]): unknown => outcome(() => decodeClientFrame(Uint8Array.from(bytes)));

  it.each<[string, number[]]>([
    ['nothing', []],
    ['a frame that is no array', [0x01]],
    ['a message that is no array', [0x91, 0x01]],
    ['an array of four billion', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['a text of four billion', [0x91, 0xdb, 0xff, 0xff, 0xff, 0xff]],
    ['bytes of four billion', [0x91, 0xc6, 0xff, 0xff, 0xff, 0xff]],
    ['a map', [0x91, 0x81, 0x01, 0x01]],
    ['an extension', [0x91, 0xd4, 0x72, 0x40]],
    ['bytes left over', [0x90, 0x00]],
    ['a message of an unknown tag', [0x91, 0x92, 0x63, 0x01]],
    ['a request without an id to answer to', [0x91, 0x92, 0x01, 0xc0]],
    ['an integer that no double holds', [0x91, 0x92, 0x02, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ])('ends the connection: %s', (_, bytes) => {
    expect(codeOf(bytes)).toBe('MALFORMED_FRAME');
  });

  it('nested deeper than the protocol needs ends the connection without a stack overflow', () => {
    expect(codeOf(Array.from({ length: 1_000_000 }, () => 0x91))).toBe('MALFORMED_FRAME');
    let deep: Wire = 1;
    for (let i = 0; i < wireDepthMax; i++) deep = [deep];
    expect(unpackWire(packWire(deep))).toEqual(deep);
  });

  it('above the limit ends the connection', () => {
    const frame = encodeFrame([get]);
    expect(decodeClientFrame(frame, frame.length)).toEqual([get]);
    expect(outcome(() => decodeClientFrame(frame, frame.length - 1))).toBe('FRAME_TOO_LARGE');
  });

  it('never throws anything but a ProtocolError, whatever bytes are changed', () => {
    fc.assert(
      fc.property(
        fc.array(clientMessages, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 6 }),
        fc.nat(),
        (messages, changes, cut) => {
          const frame = encodeFrame(messages).slice();
          for (const [at, byte] of changes) frame[at % frame.length] = byte;
          outcome(() => decodeClientFrame(frame));
          outcome(() => decodeServerFrame(frame));
          outcome(() => decodeClientFrame(frame.subarray(0, cut % frame.length)));
        },
      ),
      { numRuns: 1_000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        outcome(() => decodeClientFrame(bytes));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the reader of MessagePack', () => {
  it('reads what msgpackr reads', () => {
    const second = new Unpackr({ useRecords: false });
    fc.assert(
      fc.property(wires, (wire) => {
        const bytes = packWire(wire);
        expect(unpackWire(bytes)).toEqual(plain(second.unpack(bytes)));
      }),
    );
  });

  it('reads every form of integer that others may write', () => {
    const read = (...bytes: number[]): Wire => unpackWire(Uint8Array.from(bytes));
    expect(read(0xcf, 0, 0, 0x01, 0x9a, 0, 0, 0, 1)).toBe(0x019a * 2 ** 32 + 1);
    expect(read(0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe)).toBe(-2);
    expect(read(0xd1, 0xff, 0xfe)).toBe(-2);
    expect(read(0xd2, 0xff, 0xff, 0xff, 0xfe)).toBe(-2);
    expect(read(0xd0, 0xfe)).toBe(-2);
    expect(read(0xca, 0x3f, 0xc0, 0, 0)).toBe(1.5);
  });
});

/** msgpackr gives Buffers in Node. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  return Array.isArray(value) ? value.map(plain) : value;
}
