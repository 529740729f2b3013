import { utf8Decode, utf8Encode } from '@skerry/base';
import { expect, it } from 'vitest';
import type { Operation } from './requests.ts';
import { del, header, only, update } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { set } from './testing/world.ts';

// As exchange-contexts.test.ts, with a document: a digest does not tell of the generations that deletes have ended either.

const change = (text: string): Operation =>
  update('k', { type: 'document', action: 'change', bytes: utf8Encode(text), operations: 1 });

function chunks(world: RegionsWorld, region: string): string[] {
  const answer = world.ask(region, { kind: 'read', key: 'k', type: 'document', consistent: true });
  if (answer.kind !== 'key' || answer.view?.type !== 'document') return [];
  return answer.view.chunks.map((one) => utf8Decode(one) ?? '').sort();
}

function applied(world: RegionsWorld, at: string, of: string): number {
  return header(world, at).origins.get(header(world, of).origin)?.applied ?? 0;
}

it('I9, I11: a region that has applied the delete of a document shows no change that builds on what was deleted', () => {
  const world = new RegionsWorld({
    nodes: [1, 1, 1],
    timing: { tombstoneKeepMs: 100 },
    limits: { regionLogBytesMax: 4_000 },
  });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  // r3 makes the document, r1 deletes it. r2 hears of neither, nor r3 of the delete.
  world.passes = (_from, to, m) =>
    m.kind !== 'trimmed' && !(m.kind === 'entries' && (m.region === 'r1' || (m.region === 'r3' && to === 'r2')));
  world.ask('r3', change('first'));
  world.until(() => chunks(world, 'r1').join() === 'first');
  world.ask('r1', del('k'));
  // r2 makes one, deletes it, and makes another, so that the stamps of the last write and the last delete are the same with all.
  world.ask('r2', change('gone'));
  world.ask('r2', del('k'));
  world.ask('r2', change('other'));
  world.until(() => chunks(world, 'r1').join() === 'other' && chunks(world, 'r3').join() === 'first,other');
  // r1's log is cut, so r2 takes its state; of k both hold the same.
  for (let count = 0; count < 40; count++) world.ask('r1', set(`much-${count}`, 'x'.repeat(200)));
  world.run(3_000);
  only(world, 'r1r2');
  world.passes = (_from, _to, m) => !(m.kind === 'entries' && m.region !== 'r2');
  world.until(() => applied(world, 'r2', 'r1') === applied(world, 'r1', 'r1'), 30_000, 'r2 has the state of r1');
  // r3 goes on with what it has.
  only(world, 'r2r3');
  world.passes = () => true;
  world.ask('r3', change('late'));
  world.until(() => applied(world, 'r2', 'r3') === applied(world, 'r3', 'r3'), 30_000, 'r2 has it');
  expect(chunks(world, 'r2')).toEqual(['other']);
});
