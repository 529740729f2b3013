import { runFailover } from './lib/failover.ts';
import type { Scenario } from './lib/scenario.ts';

export const failoverKill: Scenario = {
  name: 'failover-kill',
  summary: 'kill -9 of the leader under load from 50 clients: how soon writes go on, nothing lost, nothing twice',
  trials: 50,
  run: (context) =>
    runFailover(
      {
        limits: { medianMs: 400, maxMs: 1_000 },
        hurt: (leader) => void leader.kill(),
        heal: async (leader) => {
          await leader.ended;
          leader.start();
          return [];
        },
      },
      context,
    ),
};
