import { describe, test } from 'vitest';
import { badLines } from '../../faults/bad-lines.ts';
import { kills } from '../../faults/kills.ts';
import { membership } from '../../faults/membership.ts';
import { oddClients } from '../../faults/odd-clients.ts';
import { starved } from '../../faults/starved.ts';
import { runWay } from './run-check.ts';

/** Ways of the table of faults that have none of their kind among the other tests; `npm run faults` does them all. */
describe('a region under callers of every kind keeps its promises', { timeout: 120_000 }, () => {
  test('when all nodes are killed at once', () => runWay(kills, 'all nodes', ['another leader']));
  test('when frames come twice and late', () => runWay(badLines, 'twice and late', ['a frame came twice']));
  test('when the leader stands still', () => runWay(starved, "the leader's event loop"));
  test('when two clients have one id and the leader is killed', () =>
    runWay(oddClients, 'one id, and the leader', ['another leader']));
  test('when a member is replaced in one step', () => runWay(membership, 'replaced in one step'));
});
