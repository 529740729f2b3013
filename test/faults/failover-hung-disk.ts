import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFailover } from './lib/failover.ts';
import { HangingDisks } from './lib/hanging-disk.ts';
import type { Scenario } from './lib/scenario.ts';

export const failoverHungDisk: Scenario = {
  name: 'failover-hung-disk',
  summary: 'the disk of the leader hangs under load from 50 clients: another node leads within 2 s',
  trials: 20,
  run: async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-hang-'));
    try {
      const disks = HangingDisks.build(folder);
      if (disks === null) return { figures: [], violations: [], skipped: 'there is no C compiler' };
      return await runFailover(
        {
          limits: { maxMs: 2_000 },
          region: { env: (node) => disks.env(node) },
          hurt: (leader) => disks.hang(leader.name),
          heal: async (leader) => {
            const status = await leader.status();
            disks.heal(leader.name);
            if (status === null) return [`${leader.name} did not tell its status while its disk hung`];
            return status.partitions[0]?.role === 'leader' ? [`${leader.name} still leads while its disk hangs`] : [];
          },
        },
        context,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
