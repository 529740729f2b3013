import { longestGap, type LongestGap } from './lib/gaps.ts';
import { dumpsOf, judgeRound } from './lib/judge.ts';
import { Load, type Round } from './lib/load.ts';
import { withRegion } from './lib/region.ts';
import { spread, type Figure, type Scenario } from './lib/scenario.ts';
import { Stalls } from './lib/stalls.ts';
import { pause } from './lib/until.ts';

/** The time after an order in which its pause in acknowledgements must lie, and as long before it for comparison. */
const windowMs = 300;
/** Hand-overs in one history: judging one takes more than twice as long when it is twice as long. */
const perRound = 5;
/** FAULTS section 4. */
const promisedMs = 50;

interface Trial {
  readonly trial: number;
  /** The old leader and the new one: what both need not do is not waited for. */
  readonly nodes: readonly string[];
  readonly orderedMs: number;
  readonly answeredMs: number;
}

interface Timed {
  readonly during: LongestGap;
  /** In as long a time before the order. */
  readonly before: LongestGap;
}

export const handOver: Scenario = {
  name: 'hand-over',
  summary: 'leadership is handed over by order under load from 50 clients: for how long nothing is acknowledged',
  trials: 50,
  run: async ({ trials, say }) => {
    const stalls = await Stalls.watch();
    return withRegion(stalls.regionOptions, async (region) => {
      const load = await Load.connect(region, { isHasty: (client) => client % 2 === 1 });
      const operator = await region.client();
      const timed: Timed[] = [];
      const orders: number[] = [];
      const violations: string[] = [];
      let acknowledged = 0;
      const handOverOnce = async (trial: number): Promise<Trial> => {
        const leader = await region.leader();
        const next = region.others(leader)[trial % 2]?.name ?? '';
        await pause(windowMs);
        const orderedMs = performance.now();
        await operator.transferLeadership({ partition: 0, to: next });
        const answeredMs = performance.now();
        await pause(windowMs);
        return { trial, nodes: [leader.name, next], orderedMs, answeredMs };
      };
      for (let first = 1; first <= trials; first += perRound) {
        const prefix = `t${first}/`;
        const ordered: Trial[] = [];
        await load.begin(prefix);
        for (let trial = first; trial < first + perRound && trial <= trials; trial++)
          ordered.push(await handOverOnce(trial));
        const round = await load.end();
        await region.settled();
        violations.push(...judgeRound(round, await dumpsOf(region, prefix)));
        acknowledged += round.acknowledgements.length;
        orders.push(...ordered.map(({ orderedMs, answeredMs }) => answeredMs - orderedMs));
        // Only now: right after a stall of this process its answers are still to be taken in.
        for (const trial of ordered) {
          timed.push(timeOf(trial, round, stalls));
          say(describe(trial, timed.at(-1) as Timed));
        }
      }
      return { figures: [...figuresOf(timed, orders, stalls), count('acknowledged writes', acknowledged)], violations };
    });
  },
};

function timeOf({ nodes, orderedMs }: Trial, { acknowledgements }: Round, stalls: Stalls): Timed {
  const by = { stalls, nodes, usualSyncMs: median(stalls.durations('sync')) };
  return {
    during: longestGap(acknowledgements, { fromMs: orderedMs, toMs: orderedMs + windowMs }, by),
    before: longestGap(acknowledgements, { fromMs: orderedMs - windowMs, toMs: orderedMs }, by),
  };
}

function describe({ trial, orderedMs }: Trial, { during, before }: Timed): string {
  const [ms, own, usual] = [during.ms, during.ownMs, before.ms].map((value) => value.toFixed(0));
  const line = `hand-over ${trial}: nothing acknowledged for ${ms} ms, ${own} without stalls; ${usual} before`;
  if (during.ms <= promisedMs) return line;
  const causes = during.stalls.map(
    ({ who, kind, fromMs, toMs }) =>
      `${who} ${kind} ${(fromMs - orderedMs).toFixed(0)} to ${(toMs - orderedMs).toFixed(0)}`,
  );
  const { fromMs, toMs } = during.span;
  const span = `${(fromMs - orderedMs).toFixed(0)} to ${(toMs - orderedMs).toFixed(0)} ms after the order`;
  return `${line}\n    ${span}: ${causes.join(', ') || 'no stall'}`;
}

function figuresOf(timed: readonly Timed[], orders: readonly number[], stalls: Stalls): Figure[] {
  const during = timed.map((one) => one.during);
  const before = timed.map((one) => one.before);
  const ms = (gaps: readonly LongestGap[]): number[] => gaps.map((gap) => gap.ms);
  const own = (gaps: readonly LongestGap[]): number[] => gaps.map((gap) => gap.ownMs);
  const above = (values: readonly number[]): number => values.filter((value) => value > promisedMs).length;
  return [
    ...spread('longest time without an acknowledgement', ms(during)),
    ...spread('the same without a hand-over', ms(before)),
    ...spread('longest time, stalls of the machine not counted', own(during), { max: promisedMs }),
    ...spread('the same without a hand-over, not counted either', own(before)),
    count(`hand-overs with a time above ${promisedMs} ms`, above(ms(during))),
    count('of these with stalls not counted', above(own(during))),
    ...spread('until the order was answered', orders),
    ...spread('a sync', stalls.durations('sync')),
    ...spread('stalls for want of a processor', stalls.durations('starved')).slice(1),
    ...spread('stalls for garbage', stalls.durations('garbage')).slice(1),
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;
}

function count(name: string, value: number): Figure {
  return { name, value, unit: 'count' };
}
