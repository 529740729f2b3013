import { Region } from '../../faults/lib/region.ts';
import type { SystemUnderTest } from './cluster.ts';

export function skerrySystem(version: string): SystemUnderTest {
  return {
    id: 'skerry',
    label: 'Skerry',
    version,
    durability: 'synced on a majority',
    settings: 'defaults',
    start: async ({ nodes, folder, nodeArgs }) => {
      const region = await Region.start({ nodes, folder, nodeArgs, settings: { unsafeFaultInjection: false } });
      return {
        target: { client: 'skerry', endpoints: region.nodes.map(({ clientUrl }) => clientUrl) },
        processIds: () => region.nodes.map(({ pid }) => pid ?? 0),
        fillPace: { batch: 100, inFlight: 8 },
        stop: async () => {
          // A profile is written on a planned stop only.
          if (nodeArgs.length > 0) await Promise.all(region.nodes.map((node) => node.stop()));
          await region.stop();
        },
      };
    },
  };
}
