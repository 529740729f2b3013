import { dumpsOf, judgeRound } from './lib/judge.ts';
import { Load, longestGapMs } from './lib/load.ts';
import { withRegion } from './lib/region.ts';
import { spread, type Scenario } from './lib/scenario.ts';
import { pause } from './lib/until.ts';

/** The time after an order in which its pause in acknowledgements must lie, and as long before it for comparison. */
const windowMs = 300;
/** Hand-overs in one history: judging one takes more than twice as long when it is twice as long. */
const perRound = 5;

export const handOver: Scenario = {
  name: 'hand-over',
  summary: 'leadership is handed over by order under load from 50 clients: for how long nothing is acknowledged',
  trials: 50,
  run: ({ trials, say }) =>
    withRegion({}, async (region) => {
      const load = await Load.connect(region, { isHasty: (client) => client % 2 === 1 });
      const operator = await region.client();
      const gaps: number[] = [];
      const usual: number[] = [];
      const orders: number[] = [];
      const violations: string[] = [];
      let acknowledged = 0;
      const handOverOnce = async (trial: number): Promise<void> => {
        const leader = await region.leader();
        const next = region.others(leader)[trial % 2]?.name ?? null;
        await pause(windowMs);
        const orderedMs = performance.now();
        await operator.transferLeadership({ partition: 0, to: next });
        const doneMs = performance.now();
        await pause(windowMs);
        gaps.push(longestGapMs(load.acknowledgements, orderedMs, orderedMs + windowMs));
        usual.push(longestGapMs(load.acknowledgements, orderedMs - windowMs, orderedMs));
        orders.push(doneMs - orderedMs);
        const [during, before] = [gaps.at(-1)?.toFixed(0), usual.at(-1)?.toFixed(0)];
        say(`hand-over ${trial}: nothing acknowledged for ${during} ms, ${before} before`);
      };
      for (let first = 1; first <= trials; first += perRound) {
        const prefix = `t${first}/`;
        await load.begin(prefix);
        for (let trial = first; trial < first + perRound && trial <= trials; trial++) await handOverOnce(trial);
        const round = await load.end();
        await region.settled();
        violations.push(...judgeRound(round, await dumpsOf(region, prefix)));
        acknowledged += round.acknowledgements.length;
      }
      const figures = [
        ...spread('longest time without an acknowledgement', gaps, { max: 50 }),
        ...spread('the same without a hand-over', usual),
        ...spread('until the order was answered', orders),
        { name: 'acknowledged writes', value: acknowledged, unit: 'count' as const },
      ];
      return { figures, violations };
    }),
};
