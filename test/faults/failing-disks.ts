import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eio, enospc, FailingDisks, hasFiu, type DiskCall } from './lib/failing-disks.ts';
import { hurtAgainAndAgain, type Hurt, type Scene } from './lib/fault-run.ts';
import { withRegion } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { until } from './lib/until.ts';

const trials = 14;
/** EX_IOERR: what a node whose disk failed ends with. */
const exitCodeFailed = 74;

/** FAULTS F6; `full-disk` fills real ones. */
export const failingDisks: Scenario = {
  name: 'failing-disks',
  summary:
    'system calls of one node fail by fiu: sync EIO once and for ever, write EIO, no space and space again, read EIO',
  trials,
  run: async (context) => {
    if (!hasFiu) return { figures: [], violations: [], skipped: 'failing-disks needs fiu-utils and libfiu0' };
    const folder = mkdtempSync(join(tmpdir(), 'skerry-fiu-'));
    const disks = new FailingDisks(folder);
    try {
      return await withRegion({ env: () => disks.env() }, (region) =>
        hurtAgainAndAgain(
          region,
          {
            hurts: hurtsOf(disks),
            callers: { refusals: ['STORAGE_FULL'] },
            wanted: [
              'another leader',
              'the node stopped by itself',
              'it could not start while its disk failed',
              'there was no space',
            ],
          },
          { ...context, fullTrials: trials },
        ),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function hurtsOf(disks: FailingDisks): Hurt[] {
  const stopping = (
    name: string,
    {
      call,
      whose,
      once = false,
    }: { readonly call: DiskCall; readonly whose: 'leader' | 'follower'; readonly once?: boolean },
  ): Hurt => ({
    name: `${name} at the ${whose}`,
    make: async (scene) => {
      const node = await nodeOf(scene, whose);
      disks.fail(node, call, { error: eio, once });
      await endsByItself(node, scene);
      if (!once) {
        // Its supervisor starts it anew while the disk still fails.
        node.start({ env: disks.envFrom(call, eio) });
        const code = await Promise.race([
          node.ended,
          until('it to be up', () => node.isReady('local'), 10_000).then(
            () => 0,
            () => 0,
          ),
        ]);
        if (code === 0) await node.kill();
        else scene.sometimes('it could not start while its disk failed');
      }
      return async () => node.start();
    },
  });
  return [
    stopping('one sync fails', { call: 'sync', whose: 'leader', once: true }),
    stopping('one sync fails', { call: 'sync', whose: 'follower', once: true }),
    stopping('every sync fails', { call: 'sync', whose: 'leader' }),
    stopping('every write fails', { call: 'write', whose: 'leader' }),
    stopping('every write fails', { call: 'write', whose: 'follower' }),
    {
      name: 'no space at the leader, and space again',
      lastsMs: 1_500,
      make: async (scene) => {
        const node = await nodeOf(scene, 'leader');
        disks.fail(node, 'write', { error: enospc });
        await until(
          'it to say that it is full, or to stop',
          async () => !node.isRunning || (await node.status())?.storageFull === true,
          10_000,
        );
        scene.sometimes(node.isRunning ? 'the node said that it was full' : 'a full disk stopped the node');
        scene.sometimes('there was no space');
        return async () => {
          disks.heal(node, 'write');
          if (node.isRunning) return;
          // LMDB overwrites its own memory with the text of some of these errors. Then nobody may go on in that process.
          await endsByItself(node, scene);
          node.start();
        };
      },
    },
    {
      name: 'reads fail when a node starts',
      make: async (scene) => {
        const node = await nodeOf(scene, 'follower');
        await node.kill();
        node.start({ env: disks.envFrom('read', eio) });
        const code = await Promise.race([
          node.ended,
          until('it to be up', () => node.isReady('local'), 10_000).then(
            () => 0,
            () => -1,
          ),
        ]);
        if (code === 0) scene.problem('a node started though its data could not be read');
        else scene.sometimes('it could not start while its disk failed');
        await node.kill();
        return async () => node.start();
      },
    },
  ];
}

async function nodeOf({ region }: Scene, whose: 'leader' | 'follower'): Promise<RegionNode> {
  const leader = await region.leader();
  return whose === 'leader' ? leader : (region.others(leader)[0] as RegionNode);
}

/** What it holds is then known to nobody: it must not answer anything more. */
async function endsByItself(node: RegionNode, { sometimes, problem }: Scene): Promise<void> {
  const code = await until('it to end', () => !node.isRunning, 10_000).then(
    () => node.ended,
    () => -1,
  );
  if (code === -1) {
    problem(`${node.name} went on although its disk failed`);
    await node.kill();
    return;
  }
  sometimes('the node stopped by itself');
  if (code !== exitCodeFailed)
    problem(`${node.name} ended with ${code}, not ${exitCodeFailed}: ${node.log.slice(-500)}`);
}
