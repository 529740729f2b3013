import { partitionId, regionId, replicaId } from '@skerry/base';
import { headers } from '@nats-io/transport-node';
import { describe, expect, test } from 'vitest';
import { splitParts } from '../parts.ts';
import { logHeaders, messageId, readLogHeader } from './message.ts';

const batch = {
  partition: partitionId(2),
  region: regionId('region-1'),
  origin: replicaId(0xabc),
  first: 10,
  last: 14,
  bytes: new Uint8Array(25),
};

describe('the headers of a log message', () => {
  test('say which entries of which origin it holds', () => {
    const [whole] = splitParts(batch.bytes, 100);
    if (whole === undefined) throw new Error('one part');
    const header = readLogHeader(logHeaders(batch, whole), 25, batch);
    expect(header).toEqual({ first: 10, last: 14, offset: 0, total: 25 });
  });

  test('say which part it is', () => {
    const found = splitParts(batch.bytes, 10).map((part) => readLogHeader(logHeaders(batch, part), 10, batch));
    expect(found.map((header) => [header?.offset, header?.total])).toEqual([
      [0, 25],
      [10, 25],
      [20, 25],
    ]);
  });

  test('give every part an id of its own, which is the same for every publisher', () => {
    const ids = splitParts(batch.bytes, 10).map((part) => messageId(batch, part));
    expect(new Set(ids).size).toBe(3);
    expect(ids[1]).toBe('000000000abc-2-10-14-10-10-25');
  });

  test.each([
    ['of another origin', { 'Skerry-Origin': '000000000abd' }],
    ['without numbers', { 'Skerry-First': 'ten' }],
    ['with entries backwards', { 'Skerry-Last': '9' }],
    ['with entry 0', { 'Skerry-First': '0' }],
    ['with numbers beyond all', { 'Skerry-Last': '99999999999999999999' }],
    ['with a strange part', { 'Skerry-Part': '1' }],
    ['with a negative part', { 'Skerry-Part': '-1/25' }],
  ])('%s are not taken', (_, wrong) => {
    const made = headers();
    const good = { 'Skerry-First': '10', 'Skerry-Last': '14', 'Skerry-Origin': '000000000abc' };
    for (const [name, value] of Object.entries({ ...good, ...wrong })) made.set(name, value);
    expect(readLogHeader(made, 25, batch)).toBeNull();
    expect(readLogHeader(undefined, 25, batch)).toBeNull();
  });
});
