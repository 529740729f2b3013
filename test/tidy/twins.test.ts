import { clientId, regionId } from '@skerry/base';
import { parseTicket, partitionOf, ticketText, type Ticket } from '@skerry/protocol';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { partitionVectors } from '../../packages/protocol/src/testing/partition-vectors.ts';
import * as replicaNames from '../../packages/replica/src/names.ts';
import { partitionOf as replicaPartitionOf } from '../../packages/replica/src/validate.ts';

/*
 * `protocol` and `replica` do not import each other, so each has its own copy of what client and node must agree on.
 */

describe('protocol and replica agree on the partition of a key:', () => {
  test.each(partitionVectors)('%j', (key, of3, of16, of65536) => {
    const counts = [3, 16, 65_536];
    expect(counts.map((count) => replicaPartitionOf(key, count))).toEqual([of3, of16, of65536]);
    expect(counts.map((count) => partitionOf(key, count))).toEqual([of3, of16, of65536]);
  });

  it('any other', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 65_536 }), (key, count) => {
        expect(replicaPartitionOf(key, count)).toBe(partitionOf(key, count));
      }),
    );
  });
});

describe('protocol and replica agree on tickets:', () => {
  const partitionCount = 65_536;
  const region = regionId('region-1');
  const client = fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 })
    .map((text) => clientId(text));
  const tickets: fc.Arbitrary<Ticket> = fc.record({
    region: fc.constant(region),
    partition: fc.nat({ max: partitionCount - 1 }),
    client,
    sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  });
  /** By replica, in protocol's words. */
  const parsedByReplica = (text: string): Ticket | null => {
    const parsed = replicaNames.parseTicket(text, region, partitionCount);
    return parsed && { region, partition: parsed.partition, client: parsed.id.client, sequence: parsed.id.sequence };
  };

  it('each takes what the other makes', () => {
    fc.assert(
      fc.property(tickets, (ticket) => {
        const { partition, client: of, sequence } = ticket;
        expect(replicaNames.formatTicket(region, partition as never, { client: of, sequence })).toBe(
          ticketText(ticket),
        );
        expect(parsedByReplica(ticketText(ticket))).toEqual(ticket);
        expect(parseTicket(ticketText(ticket))).toEqual(ticket);
      }),
    );
  });

  const good = `region-1:3:${'ab'.repeat(16)}:77`;
  test.each([
    '',
    'region-1',
    `${good}:1`,
    good.replace('77', '0'),
    good.replace('77', '077'),
    good.replace('77', '7e1'),
    good.replace('77', '+7'),
    good.replace('77', ' 7'),
    good.replace('77', '0x7'),
    good.replace('77', '7.0'),
    good.replace('77', '9'.repeat(16)),
    good.replace(':3:', ':03:'),
    good.replace(':3:', '::'),
    good.replace(':3:', ':-3:'),
    good.replace('ab', 'AB'),
    good.replace('ab', ''),
  ])('neither takes %j', (text) => {
    expect([parseTicket(text), parsedByReplica(text)]).toEqual([null, null]);
  });
});
