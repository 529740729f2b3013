import { randomChance, randomFloat, randomInt, randomPick, SeededRandom } from '@skerry/base';
import type { ReplicaLimits, ReplicaTiming } from '@skerry/replica';
import { drawRegions, type RegionsPlan } from './plan-regions.ts';
import type { Range } from './range.ts';

export const faultKinds = [
  'crash',
  'powerCut',
  'pause',
  'cut',
  'oneWayCut',
  'lossyLinks',
  'duplicates',
  'reordering',
  'slowDisk',
  'diskHang',
  'diskFull',
  'clockJump',
  'clockDrift',
  'clockFreeze',
  'lostAnswers',
  'transfer',
  'wipe',
  'members',
  'crashInTurn',
  'crashAll',
] as const;
/** Came later: they are drawn from a stream of their own, so that the shapes and loads of older seeds stay what they were. */
export const laterFaultKinds = ['tornWrite', 'writeError', 'syncError'] as const;
/** Came last, and is drawn from another stream again. The seeds that tests keep do not draw it, so that they stay what they were. */
export const lastFaultKind = 'readError';
export type FaultKind = (typeof faultKinds)[number] | (typeof laterFaultKinds)[number] | typeof lastFaultKind;

export const operationKinds = [
  'get',
  'set',
  'delete',
  'swap',
  'txn',
  'twins',
  'list',
  'localGet',
  'localSet',
  'localDelete',
  'localList',
  'lease',
] as const;
export type OperationKind = (typeof operationKinds)[number];

/** One world, drawn from a seed: its shape, its load and the faults it has to bear. Numbers of nodes and clients are those of one region. */
export interface Plan extends RegionsPlan {
  readonly seed: number;
  readonly nodeCount: number;
  /** Nodes that exist and are no members at first. */
  readonly spareCount: number;
  readonly partitionCount: number;
  readonly clientCount: number;
  readonly keyCount: number;
  /** Time with faults. */
  readonly safetyMs: number;
  readonly thinkMsMax: number;
  /** So many calls and no more: what the checkers do grows faster than their number. */
  readonly callsMax: number;
  /** Open calls of one client at most. */
  readonly pipelineMax: number;
  readonly timing: Partial<ReplicaTiming>;
  readonly limits: Partial<ReplicaLimits>;
  readonly faults: ReadonlySet<FaultKind>;
  readonly faultEveryMs: number;
  readonly delayMs: Range;
  readonly syncMs: Range;
  /** Chance that one message is lost, repeated or late while that fault is on. */
  readonly messageFaultChance: number;
  readonly operations: readonly OperationKind[];
  /** Inputs of a process that come within so long share a turn of its event loop. */
  readonly turnMsMax: number;
}

const laterSalt = 5 * 2 ** 33;
const lastSalt = 30 * 2 ** 33;
/** A clock of half as many ticks, with the usual times between heartbeats and before elections. */
const coarseTicks = { tickMs: 20, heartbeatTicks: 3, electionTicksMin: 10, electionTicksMax: 20 };
const safetyMsMin = 4_000;
/**
 * Of simulated time, over all nodes and partitions: the largest worlds have less of it, or a few of them would take as long as
 * all the others together.
 */
const groupMsMax = 150_000;

/** A swarm (Groce et al. 2012): each world has some of the faults and operations only, so that none hides another. */
export function drawPlan(seed: number, random: SeededRandom): Plan {
  const isCalm = randomChance(random, 0.08);
  const nodeCount = randomPick(random, [1, 2, 3, 3, 3, 3, 3, 4, 5, 6, 7]);
  const faults = new Set<FaultKind>(isCalm ? [] : faultKinds.filter(() => randomChance(random, 0.35)));
  const later = new SeededRandom(seed + laterSalt);
  if (!isCalm) for (const kind of laterFaultKinds) if (randomChance(later, 0.2)) faults.add(kind);
  if (!isCalm && randomChance(new SeededRandom(seed + lastSalt), 0.1)) faults.add(lastFaultKind);
  const operations = operationKinds.filter(() => randomChance(random, 0.7));
  for (const always of ['get', 'set', 'localSet'] as const) if (!operations.includes(always)) operations.push(always);
  const isSlow = randomChance(random, 0.15);
  const drawn = {
    seed,
    nodeCount,
    spareCount: faults.has('members') && nodeCount < 5 ? randomInt(random, 0, 2) : 0,
    partitionCount: randomPick(random, [1, 1, 1, 2, 3, 4]),
    clientCount: randomInt(random, 1, 6),
    keyCount: randomInt(random, 1, 6),
    safetyMs: randomInt(random, safetyMsMin, 14_000),
    thinkMsMax: randomPick(random, [20, 60, 150, 400]),
    callsMax: 1_000,
    pipelineMax: randomPick(random, [1, 1, 2, 4]),
    timing: {
      fenceGraceMs: randomPick(random, [50, 500, 500]),
      forwardRetryMs: randomPick(random, [100, 300, 1_000]),
      promotionGraceMs: randomPick(random, [50, 300, 1_000]),
      maxClockSkewMs: randomPick(random, [0, 50, 500]),
      ...(randomChance(later, 0.6) ? coarseTicks : {}),
    },
    limits: { ...drawLimits(random), runsBytesMax: randomPick(later, [0, 1_000, 10_000, 16 * 1_024 * 1_024]) },
    faults,
    faultEveryMs: randomPick(random, [150, 500, 1_500]),
    delayMs: isSlow ? { min: 2, max: 60 } : { min: 0.1, max: randomPick(random, [1, 3, 15]) },
    syncMs: { min: 0.1, max: randomPick(random, [0.5, 3, 20]) },
    messageFaultChance: randomPick(random, [0.01, 0.05, 0.2]) * (0.5 + randomFloat(random)),
    operations,
    turnMsMax: randomPick(later, [0.35, 0.35, 1, 3]),
  };
  const plan = { ...drawn, ...drawRegions(seed, drawn) };
  const groups = plan.partitionCount * [plan, ...plan.others].reduce((sum, { nodeCount }) => sum + nodeCount, 0);
  return { ...plan, safetyMs: Math.min(plan.safetyMs, Math.max(safetyMsMin, Math.floor(groupMsMax / groups))) };
}

/** Small limits often, so that compaction, snapshots and refusals are everyday events. */
function drawLimits(random: SeededRandom): Partial<ReplicaLimits> {
  return {
    logKeepEntries: randomPick(random, [4, 10, 30, 200, 10_000]),
    batchCommandsMax: randomPick(random, [1, 3, 1_024]),
    snapshotChunkBytes: randomPick(random, [100, 1_000, 256 * 1_024]),
    pendingCountMax: randomPick(random, [3, 100_000, 100_000, 100_000]),
    requestsOpenMax: randomPick(random, [4, 20_000, 20_000, 20_000]),
    uncommittedBytesMax: randomPick(random, [300, 64 * 1_024 * 1_024, 64 * 1_024 * 1_024]),
  };
}
