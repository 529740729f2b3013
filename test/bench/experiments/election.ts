import { Region } from '../../faults/lib/region.ts';
import type { RegionNode } from '../../faults/lib/region-node.ts';
import { until } from '../../faults/lib/until.ts';
import { spreadOf, type Spread } from '../lib/statistics.ts';
import { electionTrial, type ElectionSettings } from './election-trial.ts';

/** Where the election timeouts are drawn from, milliseconds: those of the paper's Figure 16. */
const ranges = [
  [150, 150],
  [150, 151],
  [150, 155],
  [150, 175],
  [150, 200],
  [150, 300],
] as const;

export interface ElectionOptions {
  readonly trials: number;
  /** Of equal timeouts, which take long. */
  readonly trialsOfEqual: number;
  /** With real processes. */
  readonly realTrials: number;
  readonly folder: string;
  readonly say: (line: string) => void;
}

/** Crashes of one kind. */
export interface Elections {
  readonly name: string;
  readonly trials: number;
  /** From the crash to a new leader, milliseconds, ascending. Those that took longer than was waited for are not in it. */
  readonly electedMs: readonly number[];
  readonly gaveUp: number;
  /** About votes; null: of real processes they are not counted. */
  readonly messages: Spread | null;
}

export async function measureElections(options: ElectionOptions): Promise<Elections[]> {
  const found: Elections[] = [];
  for (const preVote of [false, true]) {
    for (const [timeoutMsMin, timeoutMsMax] of ranges) {
      const trials = timeoutMsMin === timeoutMsMax ? options.trialsOfEqual : options.trials;
      const elections = simulated({ timeoutMsMin, timeoutMsMax, preVote }, trials);
      options.say(describeElections(elections));
      found.push(elections);
    }
  }
  if (options.realTrials > 0) {
    const elections = await onProcesses(options);
    options.say(describeElections(elections));
    found.push(elections);
  }
  return found;
}

export function describeElections({ name, trials, electedMs, gaveUp, messages }: Elections): string {
  const { median, min, max } = spreadOf(electedMs);
  const vote = messages === null ? '' : `, messages ${messages.median} (${messages.min} to ${messages.max})`;
  const never = gaveUp === 0 ? '' : `, none within a minute in ${gaveUp}`;
  return `${name.padEnd(26)} ${trials} trials: ${median.toFixed(0)} ms (${min.toFixed(0)} to ${max.toFixed(0)})${vote}${never}`;
}

function simulated(settings: ElectionSettings, count: number): Elections {
  const trials = Array.from({ length: count }, (_, seed) => electionTrial(settings, seed + 1));
  const electedMs = trials.map((trial) => trial.electedMs).filter((ms) => ms !== null);
  return {
    name: `${settings.timeoutMsMin}–${settings.timeoutMsMax} ms${settings.preVote ? ', pre-vote' : ''}`,
    trials: count,
    electedMs: electedMs.toSorted((a, b) => a - b),
    gaveUp: count - electedMs.length,
    messages: spreadOf(trials.map(({ messages }) => messages)),
  };
}

/** 150 to 300 ms in ticks of 10 ms. */
const realTiming = { tickMs: 10, heartbeatTicks: 7, electionTicksMin: 15, electionTicksMax: 30 };

/** The leader's process is killed; its sockets close with it, and the others see that, as they would anywhere. */
async function onProcesses({ realTrials, folder, say }: ElectionOptions): Promise<Elections> {
  const settings = { unsafeFaultInjection: false, timing: realTiming };
  const region = await Region.start({ nodes: 5, folder: `${folder}/elections`, settings });
  const electedMs: number[] = [];
  try {
    for (let trial = 1; trial <= realTrials; trial++) {
      await region.settled();
      const leader = await region.leader();
      const term = (await leader.status())?.partitions[0]?.term ?? 0;
      const killedMs = performance.now();
      void leader.kill();
      await newLeader(region.others(leader), term);
      electedMs.push(performance.now() - killedMs);
      if (trial % 10 === 0) say(`${trial} leaders killed`);
      await leader.ended;
      leader.start();
      await region.ready();
    }
  } finally {
    await region.stop();
    region.remove();
  }
  return {
    name: '150–300 ms, real processes',
    trials: realTrials,
    electedMs: electedMs.toSorted((a, b) => a - b),
    gaveUp: 0,
    messages: null,
  };
}

function newLeader(nodes: readonly RegionNode[], oldTerm: number): Promise<RegionNode> {
  return until('a new leader', async () => {
    const statuses = await Promise.all(nodes.map((node) => node.status()));
    return nodes.find((_, index) => {
      const partition = statuses[index]?.partitions[0];
      return partition?.role === 'leader' && partition.term > oldTerm;
    });
  });
}
