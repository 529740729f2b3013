import { hurtAgainAndAgain, type Hurt } from './lib/fault-run.ts';
import { withRegion } from './lib/region.ts';
import { Relays, type LineFault } from './lib/relays.ts';
import type { Scenario } from './lib/scenario.ts';

const trials = 20;

/**
 * FAULTS F4, by relays before all ports; packets are lost in `partitions`. TCP undoes duplicates and reordering of packets, so
 * it is whole frames between peers that come twice and late: what peers say may be lost, repeated and late.
 */
export const badLines: Scenario = {
  name: 'bad-lines',
  summary:
    'lines with delay and jitter, in dribs and drabs, cut off in mid-frame, half-open, silent, with a stalled reader; frames twice and late',
  trials,
  run: async (context) => {
    const relays = await Relays.create(3);
    try {
      return await withRegion(relays.regionOptions, (region) =>
        hurtAgainAndAgain(
          region,
          {
            hurts: hurtsOf(relays),
            wanted: ['another leader', 'timed out', 'a frame came twice', 'a frame came late'],
          },
          { ...context, fullTrials: trials },
        ),
      );
    } finally {
      relays.close();
    }
  },
};

function hurtsOf(relays: Relays): Hurt[] {
  const hurting = (
    name: string,
    fault: LineFault,
    whose: 'peers' | 'clients' | 'all' = 'all',
    lastsMs = 1_500,
  ): Hurt => ({
    name,
    lastsMs,
    make: async ({ region, problem, sometimes }) => {
      const leader = await region.leader();
      const { met, frames } = relays;
      if (whose !== 'clients') relays.peers(whose === 'all' ? null : leader.name, fault);
      if (whose !== 'peers') relays.clients(whose === 'all' ? null : leader.name, fault);
      return async () => {
        if (relays.met === met) problem('nothing was said on the lines that had the fault');
        relays.heal();
        if (relays.frames.repeated > frames.repeated) sometimes('a frame came twice');
        if (relays.frames.belated > frames.belated) sometimes('a frame came late');
      };
    },
  });
  const hurtingPeers = (name: string, fault: LineFault): Hurt => hurting(name, fault, 'all', 2_000);
  return [
    hurting('20 ms and up to 60 ms more on all lines', { delayMs: 20, jitterMs: 60 }),
    hurting('pieces of seven bytes on all lines', { pieceBytes: 7 }, 'all', 800),
    hurting("the leader's peers are cut off in mid-frame, again and again", { cutAfterBytes: 4_000 }, 'peers'),
    hurting("the leader's clients are cut off in mid-frame, again and again", { cutAfterBytes: 4_000 }, 'clients'),
    hurting('half-open lines between the leader and its peers: it hears nothing', { silent: 'half' }, 'peers'),
    hurting("silent lines to the leader's client port", { silent: 'both' }, 'clients'),
    hurting('the leader is not read from by its peers', { stalled: true }, 'peers'),
    hurtingPeers('a third of all frames between peers twice', { repeats: 0.3 }),
    hurtingPeers('a tenth of all frames between peers late', { belates: 0.1 }),
    hurtingPeers('frames between peers twice and late', { repeats: 0.3, belates: 0.1 }),
  ];
}
