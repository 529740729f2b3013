import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemUnderTest } from '../clusters/cluster.ts';
import type { CpuProfile } from '../lib/flame.ts';
import { flameSvg } from '../lib/flame.ts';
import { MeasuredSystem, type Measurement } from '../lib/measured-system.ts';
import type { WorkloadName } from '../lib/workloads.ts';

const keys = 10_000;
const valueBytes = 256;
const inFlight = 256;
const nodes = 3;

export interface FlameOptions {
  readonly workload: WorkloadName;
  readonly seconds: number;
  readonly folder: string;
  readonly subtitle: string;
}

export interface Flames {
  readonly measurement: Measurement;
  /** SVG by name: of each node and of the client. */
  readonly plots: Readonly<Record<string, string>>;
}

/** Where every process of Skerry spends its time under one load. The profiles see its start and the filling of keys, too. */
export async function measureFlames(skerry: SystemUnderTest, options: FlameOptions): Promise<Flames> {
  const { workload, seconds, folder, subtitle } = options;
  const profileFolder = join(folder, `profiles-${workload}`);
  mkdirSync(profileFolder, { recursive: true });
  const home = join(folder, `flames-${workload}`);
  const measured = await MeasuredSystem.start(skerry, { nodes, folder: home, connections: 1, profileFolder });
  let measurement: Measurement | null;
  let nodeIds: readonly number[];
  try {
    await measured.fill(keys, valueBytes);
    const load = { workload, keys, valueBytes, distribution: 'uniform', seed: 1 } as const;
    measurement = await measured.measure({
      ...load,
      kind: 'closed',
      inFlight,
      warmUpMs: 500,
      measureMs: seconds * 1_000,
    });
    nodeIds = measured.cluster.processIds();
  } finally {
    await measured.stop();
  }
  if (measurement === null) throw new Error(`${skerry.id} has no ${workload}`);
  const plots: Record<string, string> = {};
  for (const file of readdirSync(profileFolder).toSorted()) {
    const who = ownerOf(file, nodeIds);
    if (who === null) continue;
    const profile = JSON.parse(readFileSync(join(profileFolder, file), 'utf8')) as CpuProfile;
    plots[`flame-${workload}-${who}`] = flameSvg(profile, `${workload}, ${inFlight} in flight: ${who}`, subtitle);
  }
  return { measurement, plots };
}

/** Node names a profile `CPU.DATE.TIME.PROCESS.THREAD.NUMBER.cpuprofile`. null: of a thread beside the event loop. */
export function ownerOf(file: string, nodeIds: readonly number[]): string | null {
  const [, , , processId, thread] = file.split('.');
  if (thread !== '0') return null;
  const node = nodeIds.indexOf(Number(processId));
  return node === -1 ? 'client' : `node-${node + 1}`;
}
