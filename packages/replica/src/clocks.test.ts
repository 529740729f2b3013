import { stampFromText } from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import { set, World } from './testing/world.ts';

const hourMs = 3_600_000;
const startWallMs = 1_700_000_000_000;
const wallOf = (answer: unknown): number =>
  stampFromText((answer as { version: string }).version)?.wallMs ?? Number.NaN;

describe('the clocks of a region', () => {
  it.each([hourMs, -hourMs])(
    'a leader whose clock is off by %i ms stamps by the middle clock of the region',
    (offsetMs) => {
      const world = new World();
      const leader = world.awaitLeader();
      world.run(1_500);
      world.setClock(leader, offsetMs);
      world.run(50);
      expect(world.replica(leader).metrics()).toMatchObject({ clock_skewed: 1 });
      expect(world.replica(leader).metrics()['clock_offset_seconds']).toBeCloseTo(offsetMs / 1_000, 0);
      const written = world.settle(world.call(leader, set('k', '1')));
      expect(Math.abs(wallOf(written) - startWallMs - world.nowMs)).toBeLessThan(100);
      const quorumless = world.settle(world.call(leader, set('q', '1', false)));
      expect(Math.abs(wallOf(quorumless) - startWallMs - world.nowMs)).toBeLessThan(100);
    },
  );

  it('trusts its own clock where it knows fewer than three', () => {
    const world = new World({ nodeCount: 2 });
    const leader = world.awaitLeader();
    world.run(1_500);
    world.setClock(leader, hourMs);
    world.run(50);
    expect(world.replica(leader).metrics()).toMatchObject({ clock_skewed: 0, clock_offset_seconds: 0 });
  });

  it("a small difference is nobody's fault", () => {
    const world = new World();
    const leader = world.awaitLeader();
    world.setClock(leader, 200);
    world.run(2_500);
    expect(world.replica(leader).metrics()).toMatchObject({ clock_skewed: 0 });
    expect(world.replica(leader).metrics()['clock_offset_seconds']).toBeCloseTo(0.2, 1);
  });
});
