import type { Client } from '@skerry/client';
import { runFailover } from './lib/failover.ts';
import type { Scenario } from './lib/scenario.ts';
import { pause } from './lib/until.ts';

/** How long the old leader stays away beyond the first write without it, drawn anew each time. */
const pauseMsMax = 1_500;

/**
 * The paused leader still thinks that it leads when it goes on, and finds reads in its sockets that were sent while
 * others wrote without it: each must be answered with what they wrote, or later.
 */
export const failoverPause: Scenario = {
  name: 'failover-pause',
  summary: 'SIGSTOP of the leader under load from 50 clients; after SIGCONT it answers no read with what is old',
  trials: 50,
  run: (context) => {
    let reader: Client;
    return runFailover(
      {
        limits: { medianMs: 400, maxMs: 1_000 },
        prepare: async (leader, region) => {
          reader = await region.pinned(leader);
        },
        hurt: (leader) => leader.pause(),
        heal: async (leader, { load }) => {
          const early = load.readShared(reader, 'reader, early');
          // For the fault to last: nothing is waited for here.
          await pause(Math.random() * pauseMsMax);
          const late = load.readShared(reader, 'reader, late');
          leader.resume();
          const after = load.readShared(reader, 'reader, after');
          const problems = [...(await early), ...(await late), ...(await after)];
          await reader.close();
          return problems;
        },
      },
      context,
    );
  },
};
