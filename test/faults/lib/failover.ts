import { dumpsOf, judgeRound } from './judge.ts';
import { Load, longestGapMs } from './load.ts';
import { withRegion, type Region, type RegionOptions } from './region.ts';
import type { RegionNode } from './region-node.ts';
import { spread, type Figure, type Report, type ScenarioContext } from './scenario.ts';
import { pause } from './until.ts';

/** How a leader is taken away from under 50 clients, and how it comes back. */
export interface Failover {
  /** From taking the leader away to the next acknowledged write that was sent after it. */
  readonly limits: { readonly medianMs?: number; readonly maxMs: number };
  readonly region?: RegionOptions;
  readonly clients?: number;
  /** Called before the load begins. */
  readonly prepare?: (leader: RegionNode, region: Region) => Promise<void>;
  readonly hurt: (leader: RegionNode) => void;
  /** Called when writes go on; resolves to what is wrong beyond what the load shows. */
  readonly heal: (leader: RegionNode, trial: Trial) => Promise<string[]>;
  /** Figures beyond those of the load, asked for at the end. */
  readonly figures?: () => readonly Figure[];
}

export interface Trial {
  readonly region: Region;
  readonly load: Load;
  /** When the leader was hurt; `performance.now()`. */
  readonly hurtMs: number;
}

/** How long the load runs before the fault, so that it strikes in the midst of everything. */
const warmUpMs = 400;
/** Far beyond any promise. */
const patienceMs = 10_000;

/** Takes the leader away again and again under load, times it, and judges each round. */
export async function runFailover(failover: Failover, { trials, say }: ScenarioContext): Promise<Report> {
  return withRegion(failover.region ?? {}, async (region) => {
    const load = await Load.connect(region, failover.clients === undefined ? {} : { clients: failover.clients });
    const times: { next: number; everyone: number; gap: number }[] = [];
    const violations: string[] = [];
    let acknowledged = 0;
    for (let trial = 1; trial <= trials; trial++) {
      const prefix = `t${trial}/`;
      const leader = await region.leader();
      await failover.prepare?.(leader, region);
      await load.begin(prefix);
      await pause(warmUpMs);
      const hurtMs = performance.now();
      failover.hurt(leader);
      const next = (await load.next(hurtMs, patienceMs)).atMs - hurtMs;
      const everyone = (await load.everyone(hurtMs, patienceMs)) - hurtMs;
      const gap = longestGapMs(load.acknowledgements, hurtMs, performance.now());
      times.push({ next, everyone, gap });
      const problems = await failover.heal(leader, { region, load, hurtMs });
      const round = await load.end();
      await region.ready();
      await region.settled();
      problems.push(...judgeRound(round, await dumpsOf(region, prefix)));
      acknowledged += round.acknowledgements.length;
      violations.push(...problems.map((problem) => `trial ${trial}: ${problem}`));
      const figures = `next write ${next.toFixed(0)} ms, every client ${everyone.toFixed(0)} ms`;
      say(`trial ${trial}: ${figures}, ${round.acknowledgements.length} writes, ${problems.length} violations`);
    }
    const figures = figuresOf(times, acknowledged, failover.limits);
    return { figures: [...figures, ...(failover.figures?.() ?? [])], violations };
  });
}

function figuresOf(
  times: readonly { next: number; everyone: number; gap: number }[],
  acknowledged: number,
  { medianMs, maxMs }: Failover['limits'],
): Figure[] {
  const median = medianMs === undefined ? {} : { median: medianMs };
  return [
    ...spread(
      'to the next acknowledged write',
      times.map(({ next }) => next),
      { ...median, max: maxMs },
    ),
    ...spread(
      'longest time without an acknowledgement',
      times.map(({ gap }) => gap),
    ),
    ...spread(
      'until every client goes on',
      times.map(({ everyone }) => everyone),
    ),
    { name: 'acknowledged writes', value: acknowledged, unit: 'count' },
  ];
}
