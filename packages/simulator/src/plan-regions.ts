import { randomChance, randomInt, randomPick, SeededRandom } from '@skerry/base';
import type { ReplicaLimits, ReplicaTiming, ValueType } from '@skerry/replica';
import type { Range } from './range.ts';

export const linkFaultKinds = [
  'linkLoss',
  'linkDuplicates',
  'linkReordering',
  'linkReplay',
  'linkStall',
  'linkCut',
  'linkOneWayCut',
  'regionCutOff',
  'regionCrash',
  'logStall',
  'logReplay',
  'logPurge',
  'logLies',
  'regionEvict',
] as const;
export type LinkFaultKind = (typeof linkFaultKinds)[number];

export interface RegionShape {
  readonly nodeCount: number;
  readonly spareCount: number;
  readonly clientCount: number;
}

/** What a world has beyond one region of registers. */
export interface RegionsPlan {
  /** The regions beside the first; none: it knows of no other. */
  readonly others: readonly RegionShape[];
  /** Types of values beside the register that the clients use. */
  readonly types: readonly Exclude<ValueType, 'register'>[];
  /** Chance that a client goes on in another region, each time it thinks. */
  readonly moveChance: number;
  readonly link: LinkPlan;
}

export interface LinkPlan {
  readonly delayMs: Range;
  /** The link has a log, as with NATS; else it carries frames only. */
  readonly hasLog: boolean;
  readonly faults: ReadonlySet<LinkFaultKind>;
  readonly faultEveryMs: number;
  /** Chance that one frame is lost, repeated or late while that fault is on. */
  readonly frameFaultChance: number;
  /** Regions are evicted also while others are, and by those that are evicted themselves. Not there in files of before. */
  readonly evictsAtOnce?: boolean;
}

/** What the first region was drawn to be. */
interface FirstRegion {
  readonly nodeCount: number;
  readonly timing: Partial<ReplicaTiming>;
  readonly limits: Partial<ReplicaLimits>;
  readonly clientCount: number;
}

const otherTypes = ['multiRegister', 'counter', 'set', 'flag', 'document'] as const satisfies readonly ValueType[];
/**
 * Sets this stream apart from the one that everything else is drawn from, so that worlds of one region stay what they were;
 * chosen so that the seeds that failed before there were others still make one.
 */
const salt = 3 * 2 ** 33;
/** More make a world slow and show nothing new. */
const nodesMax = 9;

/**
 * Half of the worlds have one region with registers only, as the first worlds did. All chance comes from a stream of its
 * own.
 */
export function drawRegions(
  seed: number,
  first: FirstRegion,
): RegionsPlan & Pick<FirstRegion, 'timing' | 'limits' | 'clientCount'> {
  const random = new SeededRandom(seed + salt);
  const count = randomPick(random, [1, 1, 1, 1, 1, 2, 2, 3, 3, 3]);
  const hasTypes = count > 1 || randomChance(random, 0.15);
  const types = hasTypes ? otherTypes.filter((type) => randomChance(random, type === 'document' ? 0.05 : 0.6)) : [];
  const others: RegionShape[] = [];
  let nodesLeft = nodesMax - first.nodeCount;
  for (let i = 1; i < count; i++) {
    const nodeCount = Math.max(1, Math.min(nodesLeft - (count - 1 - i), randomPick(random, [1, 1, 2, 3, 3, 3, 5, 7])));
    nodesLeft -= nodeCount;
    others.push({ nodeCount, spareCount: 0, clientCount: randomInt(random, 1, 3) });
  }
  const isFar = randomChance(random, 0.3);
  const link: LinkPlan = {
    delayMs: isFar ? { min: 40, max: randomPick(random, [80, 200]) } : { min: 0.5, max: randomPick(random, [3, 20]) },
    hasLog: randomChance(random, 0.3),
    faults: new Set(randomChance(random, 0.1) ? [] : linkFaultKinds.filter(() => randomChance(random, 0.35))),
    faultEveryMs: randomPick(random, [300, 800, 2_000]),
    frameFaultChance: randomPick(random, [0.02, 0.1, 0.4]),
  };
  const { timing, limits, clientCount } = first;
  const one = { others, types, moveChance: 0, link, timing, limits, clientCount };
  if (count === 1) return one;
  return {
    ...one,
    clientCount: Math.min(clientCount, 4),
    moveChance: randomPick(random, [0, 0.01, 0.05]),
    timing: {
      ...timing,
      linkHeartbeatMs: randomPick(random, [50, 250]),
      linkRetryMs: randomPick(random, [200, 1_000]),
      tombstoneKeepMs: randomPick(random, [100, 1_000, 3_600_000]),
    },
    limits: { ...limits, regionLogBytesMax: randomPick(random, [400, 4_000, 256 * 1_024 * 1_024]) },
    link: { ...link, evictsAtOnce: randomChance(random, 0.5) },
  };
}

/** The same world with a region that is evicted and comes back, now and then, if it was not drawn to have one. */
export function withEvictions<P extends RegionsPlan>(plan: P): P {
  return plan.others.length === 0
    ? plan
    : { ...plan, link: { ...plan.link, faults: new Set([...plan.link.faults, 'regionEvict']) } };
}
