import { withCluster, type Cluster } from './lib/cluster.ts';
import { hurtAgainAndAgain, type Hurt } from './lib/fault-run.ts';
import { hasNatsServer, type NatsBroker } from './lib/nats-broker.ts';
import { allRegionsProblems } from './lib/regions-alike.ts';
import type { Scenario } from './lib/scenario.ts';

const trials = 8;

/** FAULTS F11, and the broker cut of F3. Redelivery and the duplicate window are tests of `test/integration/link-nats`. */
export const brokerFaults: Scenario = {
  name: 'broker-faults',
  summary:
    'the nats-server between two regions is killed, paused, wiped: each region goes on, and they become equal again',
  trials,
  run: async (context) => {
    if (!hasNatsServer) return { figures: [], violations: [], skipped: 'broker-faults needs nats-server' };
    return withCluster({ sizes: [3, 1], link: 'nats' }, (cluster) =>
      hurtAgainAndAgain(
        cluster.region(0),
        {
          hurts: hurtsOf(cluster, cluster.broker as NatsBroker),
          afterwards: (prefix) => allRegionsProblems(cluster, prefix),
          wanted: ['the regions were apart'],
        },
        { ...context, fullTrials: trials },
      ),
    );
  },
};

function hurtsOf(cluster: Cluster, broker: NatsBroker): Hurt[] {
  const hurting = (name: string, hurt: () => Promise<void> | void, heal: () => Promise<void> | void): Hurt => ({
    name,
    lastsMs: 2_000,
    make: async ({ sometimes }) => {
      await hurt();
      return async () => {
        if (!(await cluster.isLevel())) sometimes('the regions were apart');
        await heal();
        await cluster.joined();
      };
    },
  });
  return [
    hurting(
      'killed',
      () => broker.stop(),
      () => broker.start(),
    ),
    hurting(
      'paused',
      () => broker.pause(),
      () => broker.resume(),
    ),
    hurting(
      'killed and wiped',
      async () => {
        await broker.stop();
        broker.wipe();
      },
      () => broker.start(),
    ),
    hurting(
      'killed, started and killed again',
      async () => {
        await broker.stop();
        await broker.start();
        await broker.stop();
      },
      () => broker.start(),
    ),
  ];
}
