import type { Flags } from './flags.ts';
import { workloadNames } from './lib/workloads.ts';

export type Loads = Pick<Flags, 'workloads' | 'inFlight' | 'valueBytes' | 'keys' | 'distributions' | 'nodes'>;

const base: Loads = {
  workloads: workloadNames,
  inFlight: [256],
  valueBytes: [256],
  keys: [10_000],
  distributions: ['uniform'],
  nodes: 3,
};
const plain = { ...base, workloads: ['set', 'get', 'weak-set', 'local-get'] } as const;

/**
 * All workloads at one load, and then one thing changed at a time: every load with every other would take days and say
 * little more. By the name of the result.
 */
export const fullLoads: Readonly<Record<string, Loads>> = {
  'loads-all-workloads': base,
  'loads-in-flight': { ...plain, inFlight: [1, 64, 1_000] },
  'loads-4-KiB': { ...plain, valueBytes: [4_096] },
  'loads-zipf': { ...base, workloads: ['set', 'get', 'ycsb-a', 'ycsb-b', 'ycsb-f'], distributions: ['zipf'] },
  'loads-five-nodes': { ...plain, nodes: 5 },
  'loads-million-keys': { ...plain, keys: [1_000_000] },
};
