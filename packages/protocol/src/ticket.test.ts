import { expect, it } from 'vitest';
import { parseTicket, ticketText, type Ticket } from './ticket.ts';

const ticket: Ticket = { region: 'region-1' as never, partition: 3, client: 'ab'.repeat(16) as never, sequence: 77 };

it('a ticket names its write, in the form that nodes take', () => {
  expect(ticketText(ticket)).toBe(`region-1:3:${'ab'.repeat(16)}:77`);
  expect(parseTicket(ticketText(ticket))).toEqual(ticket);
});

it('anything else is no ticket', () => {
  const good = ticketText(ticket);
  for (const text of [
    '',
    'region-1',
    `${good}:1`,
    good.replace('77', '0'),
    good.replace('77', '9'.repeat(16)),
    good.replace('ab', 'AB'),
    good.replace('region-1', '-'),
  ]) {
    expect(parseTicket(text)).toBeNull();
  }
});
