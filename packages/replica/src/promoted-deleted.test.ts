import { utf8Encode } from '@skerry/base';
import { expect, it } from 'vitest';
import type { Operation, ValueChange } from './requests.ts';
import { del, hasRecord, update } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { set } from './testing/world.ts';

/*
 * No region is evicted. r2 has three nodes. One that is away changes a key without a quorum; meanwhile r1 deletes the key. r1 forgets the
 * tombstone, and r2 does not yet, as it hears late what r1 has applied. Then the change is promoted at r2, where the tombstone is, and
 * goes to r1, where it is not.
 */
function promotedOn(first: ValueChange, late: ValueChange): { then: unknown[]; after: unknown[] } {
  const world = new RegionsWorld({ nodes: [1, 3], timing: { tombstoneKeepMs: 100 } });
  const shown = (): unknown[] =>
    world.regions.map((region) => {
      const answer = world.ask(region, { kind: 'read', key: 'k', type: first.type, consistent: true });
      return answer.kind === 'key' ? (answer.view ?? null) : answer;
    });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  world.ask('r1', update('k', first));
  world.until(() => world.isConverged());
  world.run(2_000);
  const r2 = world.world('r2');
  const away = r2.names.find((name) => name !== r2.leader())!;
  r2.isolate(away);
  const operation: Operation = { kind: 'update', key: 'k', change: late, consistent: false };
  const answer = world.ask('r2', operation, { node: away });
  if (answer.kind !== 'key' || answer.receipt === undefined) throw new Error(JSON.stringify(answer));
  world.run(200);
  // What r1 has applied, r2 does not hear.
  world.passes = (_from, to, m) => !(to === 'r2' && m.kind === 'heartbeat');
  world.ask('r1', del('k'));
  world.until(() => !hasRecord(world, 'r1', 'k'), 20_000, 'r1 forgets it');
  // Nor does r1 take the state of r2 for the next three seconds.
  world.passes = (_from, to, m) => !(to === 'r2' && m.kind === 'heartbeat') && !(to === 'r1' && m.kind === 'digests');
  r2.heal();
  world.run(1_500);
  const then = shown();
  world.passes = (_from, to, m) => !(to === 'r1' && m.kind === 'digests');
  world.run(1_500);
  world.passes = () => true;
  world.until(() => world.isConverged());
  world.run(10_000);
  return { then, after: shown() };
}

it('I9, I11: a change to a document that was deleted meanwhile does not make it where the delete is forgotten', () => {
  const change = (text: string): ValueChange => ({
    type: 'document',
    action: 'change',
    bytes: utf8Encode(text),
    operations: 1,
  });
  const { then, after } = promotedOn(change('first'), change('late'));
  expect({ then, after }).toEqual({ then: [null, null], after: [null, null] });
});

it('I9, I11: a disable that is older than the delete of the flag does not make it where that is forgotten', () => {
  const { then, after } = promotedOn({ type: 'flag', action: 'enable' }, { type: 'flag', action: 'disable' });
  expect({ then, after }).toEqual({ then: [null, null], after: [null, null] });
});

it('I11: nor does it make the document where nobody knows of it any more: what it was made over is gone', () => {
  const world = new RegionsWorld({ nodes: [3], timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  const change = (text: string): ValueChange => ({
    type: 'document',
    action: 'change',
    bytes: utf8Encode(text),
    operations: 1,
  });
  world.ask('r1', update('k', change('first')));
  world.run(1_000);
  const r1 = world.world('r1');
  const away = r1.names.find((name) => name !== r1.leader())!;
  const leader = r1.leader()!;
  r1.isolate(away);
  world.ask('r1', { kind: 'update', key: 'k', change: change('late'), consistent: false }, { node: away });
  world.ask('r1', del('k'), { node: leader });
  world.run(5_000);
  r1.heal();
  world.run(3_000);
  const read = world.ask('r1', { kind: 'read', key: 'k', type: 'document', consistent: true });
  expect(read.kind === 'key' && (read.view ?? null)).toBeNull();
});
