import { dumpsOf, judgeRound } from './lib/judge.ts';
import { Load, longestGapMs } from './lib/load.ts';
import { withRegion } from './lib/region.ts';
import { spread, type Scenario } from './lib/scenario.ts';

export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  summary:
    'all three nodes are restarted in turn under load from 50 clients, half of them with timeoutMs 1000: no call fails',
  trials: 5,
  run: ({ trials, say }) =>
    withRegion({}, async (region) => {
      const load = await Load.connect(region, { isHasty: (client) => client % 2 === 1 });
      const violations: string[] = [];
      const gaps: number[] = [];
      const stops: number[] = [];
      for (let trial = 1; trial <= trials; trial++) {
        const prefix = `t${trial}/`;
        await load.begin(prefix);
        const leader = await region.leader();
        // Once the leader first, once last: then it changes on the way.
        const order = trial % 2 === 0 ? [leader, ...region.others(leader)] : [...region.others(leader), leader];
        for (const node of order) {
          const startMs = performance.now();
          const code = await node.stop();
          stops.push(performance.now() - startMs);
          const atMs = Math.round(startMs - load.startMs);
          say(`trial ${trial}: ${node.name} told to stop at ${atMs} ms, stopped in ${stops.at(-1)?.toFixed(0)} ms`);
          if (code !== 0) violations.push(`trial ${trial}: ${node.name} ended with code ${code}`);
          node.start();
          await region.ready();
          await load.next(performance.now());
          gaps.push(longestGapMs(load.acknowledgements, startMs, performance.now()));
        }
        await load.everyone(performance.now());
        const round = await load.end();
        await region.settled();
        const problems = judgeRound(round, await dumpsOf(region, prefix));
        violations.push(...problems.map((problem) => `trial ${trial}: ${problem}`));
        say(`trial ${trial}: ${round.acknowledgements.length} writes, ${problems.length} violations`);
      }
      const figures = [
        ...spread('a planned stop', stops),
        ...spread('longest time without an acknowledgement', gaps),
        { name: 'restarts', value: stops.length, unit: 'count' as const },
      ];
      return { figures, violations };
    }),
};
