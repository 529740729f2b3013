import { utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { Answer, Operation, ValueChange, ValueType } from './requests.ts';
import { get, set, valueOf } from './testing/world.ts';
import { RegionsWorld } from './testing/regions-world.ts';

const update = (key: string, change: ValueChange, consistent = true): Operation => ({
  kind: 'update',
  key,
  change,
  consistent,
});
const read = (key: string, type: ValueType, consistent = true): Operation => ({ kind: 'read', key, type, consistent });
const add = (amount: number): ValueChange => ({ type: 'counter', action: 'add', amount });
const element = (action: 'add' | 'remove', text: string): ValueChange => ({
  type: 'set',
  action,
  element: utf8Encode(text),
});

function viewOf(answer: Answer): unknown {
  if (answer.kind !== 'key') throw new Error(`not a key answer: ${JSON.stringify(answer)}`);
  return answer.view;
}

describe.each([false, true])('regions over a link, with a log: %s', (linkHasLog) => {
  it('converge: what one writes, the other reads', () => {
    const world = new RegionsWorld({ linkHasLog });
    world.awaitLeaders();
    expect(world.ask('r1', set('a', '1'))).toMatchObject({ valid: true });
    world.until(() => valueOf(world.ask('r2', get('a', false))) === '1', 5_000, 'arrival');
    expect(valueOf(world.ask('r2', get('a'), { node: 'n3' }))).toBe('1');
    world.until(() => world.isConverged());
  });

  it('merge what both wrote during a cut, and keep losers in the ledger of both', () => {
    const world = new RegionsWorld({ linkHasLog });
    world.awaitLeaders();
    world.ask('r1', update('n', add(5)));
    world.until(() => world.isConverged());
    world.cut('r1', 'r2');
    world.ask('r1', set('k', 'one'));
    world.run(10);
    world.ask('r2', set('k', 'two'));
    world.ask('r1', update('n', add(2)));
    world.ask('r2', update('n', add(-3)));
    world.ask('r1', update('s', element('add', 'x')));
    world.ask('r2', update('s', element('add', 'y'), false));
    world.run(2_000);
    expect(world.isConverged()).toBe(false);
    world.heal();
    world.until(() => world.isConverged(), 10_000, 'convergence');
    for (const region of world.regions) {
      expect(valueOf(world.ask(region, get('k')))).toBe('two');
      expect(viewOf(world.ask(region, read('n', 'counter')))).toEqual({ type: 'counter', total: '4' });
      expect(viewOf(world.ask(region, read('s', 'set')))).toEqual({
        type: 'set',
        elements: [utf8Encode('x'), utf8Encode('y')],
      });
      const ledger = world.ask(region, { kind: 'conflicts', prefix: '', limit: 10 });
      expect(
        ledger.kind === 'conflicts' &&
          ledger.entries.map(({ key, loser, loserRegion, winnerRegion }) => [key, loser, loserRegion, winnerRegion]),
      ).toEqual([['k', { type: 'register', value: utf8Encode('one') }, 'r1', 'r2']]);
    }
  });

  it('apply each entry once, in order, over a link that loses, repeats and reorders', () => {
    const world = new RegionsWorld({
      linkHasLog,
      nodes: [3, 1, 1],
      lossPerMille: 100,
      duplicatesPerMille: 200,
      delayMsMax: 80,
      seed: 5,
    });
    world.awaitLeaders();
    const calls = Array.from({ length: 60 }, (_, i) => {
      world.run(7);
      return world.call(`r${1 + (i % 3)}`, update('n', add(i)), { client: `c${i % 3}` });
    });
    for (const call of calls) expect(world.settle(call)).toMatchObject({ valid: true });
    world.until(() => world.isConverged(), 60_000, 'convergence');
    expect(viewOf(world.ask('r3', read('n', 'counter')))).toEqual({ type: 'counter', total: String((59 * 60) / 2) });
  });

  it('converge through a third region while two cannot reach each other', () => {
    const world = new RegionsWorld({ linkHasLog, nodes: [1, 1, 1] });
    world.awaitLeaders();
    world.ask('r1', set('a', '0'));
    world.until(() => world.isConverged());
    world.cut('r1', 'r2');
    world.ask('r1', set('a', '1'));
    world.ask('r2', set('b', '2'));
    world.until(() => world.isConverged(), 30_000, 'convergence through r3');
    expect(valueOf(world.ask('r2', get('a')))).toBe('1');
    expect(valueOf(world.ask('r1', get('b')))).toBe('2');
  });

  it('pass on at once what is written after a long silence', () => {
    const world = new RegionsWorld({ linkHasLog, nodes: [1, 1], timing: { linkHeartbeatMs: 2_000 } });
    world.awaitLeaders();
    world.run(5_000);
    for (const value of ['1', '2']) {
      world.ask('r1', set('a', value));
      world.until(() => valueOf(world.ask('r2', get('a', false))) === value, 40, 'arrival');
      world.run(12_000);
    }
  });

  it('goes on when leaders change in the middle', () => {
    const world = new RegionsWorld({ linkHasLog });
    world.awaitLeaders();
    let written = 0;
    for (let round = 0; round < 4; round++) {
      const region = world.world(round % 2 === 0 ? 'r1' : 'r2');
      const leader = region.awaitLeader();
      for (let i = 0; i < 10; i++) {
        const name = region.names.find((one) => one !== leader) as string;
        world.call(round % 2 === 0 ? 'r1' : 'r2', update('n', add(1)), { node: name });
        written++;
      }
      world.run(5);
      region.crash(leader);
      world.run(1_500);
      region.start(leader);
    }
    world.until(() => world.isConverged(), 60_000, 'convergence');
    expect(viewOf(world.ask('r2', read('n', 'counter')))).toEqual({ type: 'counter', total: String(written) });
  });
});
