import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFailover } from './lib/failover.ts';
import { HangingDisks } from './lib/hanging-disk.ts';
import { spread, type Scenario } from './lib/scenario.ts';

export const failoverHungDisk: Scenario = {
  name: 'failover-hung-disk',
  summary: 'the disk of the leader hangs under load from 50 clients: another node leads within 2 s',
  trials: 20,
  run: async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-hang-'));
    try {
      const disks = HangingDisks.build(folder);
      if (disks === null) return { figures: [], violations: [], skipped: 'there is no C compiler' };
      const replaced: number[] = [];
      return await runFailover(
        {
          limits: { maxMs: 2_000 },
          region: { env: (node) => disks.env(node) },
          hurt: (leader) => disks.hang(leader.name),
          heal: async (leader, { region, hurtMs, load }) => {
            // Until then it may go on leading: a majority without it makes its writes durable.
            await region.leader(region.others(leader));
            replaced.push(performance.now() - hurtMs);
            await load.next(performance.now());
            const role = (await leader.status())?.partitions[0]?.role;
            disks.heal(leader.name);
            return role === 'leader' || role === undefined ? [`${leader.name}, whose disk hangs, is ${role}`] : [];
          },
          figures: () => spread('until another node led', replaced, { max: 2_000 }),
        },
        context,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
