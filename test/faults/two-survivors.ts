import { rmSync } from 'node:fs';
import { Expectations, within } from './lib/expect.ts';
import { withRegion, type RegionOptions } from './lib/region.ts';
import { spread, type Scenario } from './lib/scenario.ts';
import { until } from './lib/until.ts';

const writes = 100;
const patienceMs = 20_000;
const region: RegionOptions = { nodes: 5 };

/**
 * Half of the writes ask for two durable copies; the other half is pushed without being asked. Each trial needs a new
 * region, since the origin is gone for good.
 */
export const twoSurvivors: Scenario = {
  name: 'two-survivors',
  summary:
    'two survivors of five: the one that accepted quorum-less writes is gone for good, the other one promotes them',
  trials: 4,
  run: async ({ trials, say }) => {
    const promoted: number[] = [];
    const violations: string[] = [];
    for (let trial = 1; trial <= trials; trial++) {
      // In every other trial the holder is killed and restarted as well.
      const problems = await withRegion(region, async (five) => {
        const expected = new Expectations();
        const leader = await five.leader();
        const [origin, holder, ...rest] = trial % 4 < 2 ? [leader, ...five.others(leader)] : five.others(leader);
        if (origin === undefined || holder === undefined) throw new Error('five nodes are needed');
        const away = trial % 4 < 2 ? rest : [...rest, leader];
        const db = await five.pinned(origin);
        await db.set('before', 'before');
        await Promise.all(away.map((node) => node.kill()));

        const answers = Array.from({ length: writes }, (_, index) =>
          db.set(`k${index}`, String(index), { consistent: false, ...(index % 2 === 0 ? { w: 2 } : {}) }),
        );
        const receipts = (await within('quorum-less writes', patienceMs, Promise.all(answers))).map(
          ({ receipt }) => receipt ?? '',
        );
        await until(`${holder.name} to hold every write`, async () => {
          return (await holder.status())?.partitions[0]?.pending === writes;
        });
        await origin.kill();
        rmSync(origin.dataFolder, { recursive: true });
        if (trial % 2 === 0) {
          await holder.kill();
          holder.start();
          await until('the holder to be back', () => holder.isReady('local'));
        }

        for (const node of away) node.start();
        await five.leader();
        const backMs = performance.now();
        await five.settled();
        promoted.push(performance.now() - backMs);
        for (const node of five.running) {
          const reader = await five.pinned(node);
          const found = await Promise.all(receipts.map((_, index) => reader.get(`k${index}`)));
          const wrong = found.filter(({ value }, index) => value !== String(index)).length;
          expected.equal(`writes that ${node.name} lacks`, wrong, 0);
          const states = await Promise.all(receipts.map((receipt) => reader.receipt(receipt).state()));
          const open = states.filter(({ state }) => state !== 'promoted').length;
          expected.equal(`receipts that are not promoted to ${node.name}`, open, 0);
          await reader.close();
        }
        return expected.problems;
      });
      violations.push(...problems.map((problem) => `trial ${trial}: ${problem}`));
      say(`trial ${trial}: ${problems.length} violations`);
    }
    return { figures: spread(`quorum back to ${writes} promoted by the holder`, promoted, { max: 5_000 }), violations };
  },
};
