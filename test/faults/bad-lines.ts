import { hurtAgainAndAgain, type Hurt } from './lib/fault-run.ts';
import { withRegion } from './lib/region.ts';
import { Relays, type LineFault } from './lib/relays.ts';
import type { Scenario } from './lib/scenario.ts';

const trials = 14;

/** FAULTS F4, by relays before all ports; packets are lost in `partitions`. TCP itself undoes duplicates and reordering. */
export const badLines: Scenario = {
  name: 'bad-lines',
  summary:
    'lines with delay and jitter, in dribs and drabs, cut off in mid-frame, half-open, silent, with a stalled reader',
  trials,
  run: async (context) => {
    const relays = await Relays.create(3);
    try {
      return await withRegion(relays.regionOptions, (region) =>
        hurtAgainAndAgain(
          region,
          { hurts: hurtsOf(relays), wanted: ['another leader', 'timed out'] },
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
    make: async ({ region, problem }) => {
      const leader = await region.leader();
      const { met } = relays;
      if (whose !== 'clients') relays.peers(whose === 'all' ? null : leader.name, fault);
      if (whose !== 'peers') relays.clients(whose === 'all' ? null : leader.name, fault);
      return async () => {
        if (relays.met === met) problem('nothing was said on the lines that had the fault');
        relays.heal();
      };
    },
  });
  return [
    hurting('20 ms and up to 60 ms more on all lines', { delayMs: 20, jitterMs: 60 }),
    hurting('pieces of seven bytes on all lines', { pieceBytes: 7 }, 'all', 800),
    hurting("the leader's peers are cut off in mid-frame, again and again", { cutAfterBytes: 4_000 }, 'peers'),
    hurting("the leader's clients are cut off in mid-frame, again and again", { cutAfterBytes: 4_000 }, 'clients'),
    hurting('half-open lines between the leader and its peers: it hears nothing', { silent: 'half' }, 'peers'),
    hurting("silent lines to the leader's client port", { silent: 'both' }, 'clients'),
    hurting('the leader is not read from by its peers', { stalled: true }, 'peers'),
  ];
}
