import type { Target } from '../sessions/session.ts';

/** What a system answers for before it answers. Only like is compared with like. */
export type Durability = 'synced on a majority' | 'synced on one' | 'in memory, synced later';

/** A system with certain settings that can be started on this machine. */
export interface SystemUnderTest {
  /** As in flags and in results: `skerry`, `etcd`, `nats-default`, … */
  readonly id: string;
  /** For people. */
  readonly label: string;
  readonly version: string;
  readonly durability: Durability;
  /** Everything that was told to the servers and that is not their default, for people. */
  readonly settings: string;
  readonly start: (options: StartOptions) => Promise<RunningCluster>;
}

export interface StartOptions {
  readonly nodes: number;
  /** On the disk that is measured; a folder of its own. */
  readonly folder: string;
  /** For Node, where the system runs on it. */
  readonly nodeArgs: readonly string[];
}

export interface RunningCluster {
  readonly target: Omit<Target, 'connections'>;
  /** Of the servers. */
  readonly processIds: () => readonly number[];
  /** How many keys one call fills, and how many such calls at once. */
  readonly fillPace: { readonly batch: number; readonly inFlight: number };
  readonly stop: () => Promise<void>;
}
