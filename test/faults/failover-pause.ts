import type { Client } from '@skerry/client';
import { runFailover } from './lib/failover.ts';
import type { Region } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';

/** How long the old leader stays away beyond the first write without it, drawn anew each time. */
const pauseMsMax = 1_500;

/**
 * The paused leader still thinks that it leads when it goes on, and finds reads in its sockets that were sent while
 * others wrote without it: each must be answered with what they wrote, or later. In every other trial it is cut off as
 * well, so that nothing in its sockets tells it of the new leader.
 */
export const failoverPause: Scenario = {
  name: 'failover-pause',
  summary: 'SIGSTOP of the leader under load from 50 clients; after SIGCONT it answers no read with what is old',
  trials: 50,
  run: (context) => {
    let trial = 0;
    let reader: Client;
    let others: readonly RegionNode[] = [];
    let isCut: Promise<void> = Promise.resolve();
    return runFailover(
      {
        limits: { medianMs: 400, maxMs: 1_000 },
        prepare: async (leader: RegionNode, region: Region) => {
          trial++;
          reader = await region.pinned(leader);
          others = region.others(leader);
        },
        hurt: (leader) => {
          leader.pause();
          if (trial % 2 === 0) isCut = cutOff(leader, others);
        },
        heal: async (leader, { load }) => {
          await isCut;
          const early = load.readShared(reader, 'reader, early');
          // For the fault to last: nothing is waited for here.
          await pause(Math.random() * pauseMsMax);
          const late = load.readShared(reader, 'reader, late');
          leader.resume();
          const after = load.readShared(reader, 'reader, after');
          if (trial % 2 === 0) {
            await until(
              'the old leader to notice',
              async () => (await leader.status())?.partitions[0]?.quorum === false,
            );
            await Promise.all(others.map((node) => node.heal()));
          }
          const problems = [...(await early), ...(await late), ...(await after)];
          await reader.close();
          return problems;
        },
      },
      context,
    );
  },
};

/** The others neither hear nor tell `node` anything, long before they have another leader. */
async function cutOff(node: RegionNode, others: readonly RegionNode[]): Promise<void> {
  await Promise.all(others.map((other) => other.cut([node.name])));
}
