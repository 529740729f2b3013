import { raftBugs } from './bugs-raft.ts';
import { regionBugs } from './bugs-regions.ts';
import { replicaBugs } from './bugs-replica.ts';
import type { PlantedBug } from './lib/bug.ts';

export const plantedBugs: readonly PlantedBug[] = [...raftBugs, ...replicaBugs, ...regionBugs];
