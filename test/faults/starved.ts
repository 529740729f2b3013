import { spawnSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import { besideSources } from './lib/beside-sources.ts';
import { CpuLimit } from './lib/cpu-limits.ts';
import { hurtAgainAndAgain, type Heal, type Hurt, type Scene } from './lib/fault-run.ts';
import { withRegion } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';

const trials = 12;
const heapMiB = 48;
/** Of open files; a node has about 40 by itself. */
const filesMax = 80;
const socketCount = 120;

/** FAULTS F14. */
export const starved: Scenario = {
  name: 'starved',
  summary: 'a tenth of a processor, a stalled event loop, little memory, few open files, for one node or all',
  trials,
  run: (context) => {
    const limits = new Map<string, CpuLimit>();
    for (const name of ['n1', 'n2', 'n3']) {
      const limit = CpuLimit.create(name);
      if (limit !== null) limits.set(name, limit);
    }
    const hurts = hurtsOf(limits);
    if (limits.size === 0) context.say('not run: a starved processor; there are no control groups of it here');
    const stalling = ['--import', pathToFileURL(besideSources('stall-on-signal.mjs')).href];
    return withRegion({ nodeArgs: stalling, runner: (node) => limits.get(node)?.runner ?? [] }, (region) =>
      hurtAgainAndAgain(
        region,
        {
          hurts,
          callers: { refusals: ['OVERLOADED'] },
          wanted: ['another leader', 'timed out', 'sockets beyond the limit were closed'],
        },
        { ...context, fullTrials: trials },
      ),
    );
  },
};

type Pick = (leader: RegionNode, followers: readonly RegionNode[]) => readonly RegionNode[];

function hurtsOf(limits: ReadonlyMap<string, CpuLimit>): Hurt[] {
  const hurting = (
    name: string,
    pick: Pick,
    { lastsMs, hurt }: { readonly lastsMs: number; readonly hurt: (node: RegionNode, pid: number) => Heal },
  ): Hurt => ({
    name,
    lastsMs,
    make: async ({ region }) => {
      const leader = await region.leader();
      const heals = pick(leader, region.others(leader)).map((node) => hurt(node, node.pid ?? 0));
      return async () => {
        for (const heal of heals) await heal();
      };
    },
  });
  const throttle =
    (percent: number) =>
    ({ name }: RegionNode): Heal => {
      const limit = limits.get(name) as CpuLimit;
      limit.hold(percent);
      return async () => limit.release();
    };
  const stall = (_: RegionNode, pid: number): Heal => {
    process.kill(pid, 'SIGUSR2');
    return async () => {};
  };
  const leaderOnly: Pick = (leader) => [leader];
  const all: Pick = (leader, followers) => [leader, ...followers];
  const ofProcessor = [
    hurting('a tenth of a processor for the leader', leaderOnly, { lastsMs: 2_000, hurt: throttle(10) }),
    hurting('a tenth of a processor for a follower', (_, followers) => followers.slice(0, 1), {
      lastsMs: 2_000,
      hurt: throttle(10),
    }),
    hurting('a quarter of a processor for each node', all, { lastsMs: 2_000, hurt: throttle(25) }),
    {
      name: 'all nodes restarted in turn, with a fifth of a processor each',
      lastsMs: 0,
      make: async ({ region }: Scene) => {
        for (const limit of limits.values()) limit.hold(20);
        await restartInTurn(region.nodes, null, region);
        return async () => {
          for (const limit of limits.values()) limit.release();
        };
      },
    },
  ];
  return [
    ...(limits.size === 0 ? [] : ofProcessor),
    hurting("the leader's event loop stands for a second", leaderOnly, { lastsMs: 1_200, hurt: stall }),
    hurting('the event loops of all nodes stand for a second', all, { lastsMs: 1_200, hurt: stall }),
    {
      name: `all nodes with ${heapMiB} MiB of heap`,
      make: async ({ region }) => {
        await restartInTurn(region.nodes, ['--max-old-space-size', String(heapMiB)].join('='), region);
        await pause(1_500);
        return () => restartInTurn(region.nodes, null, region);
      },
    },
    {
      name: `the leader with ${filesMax} open files at most, and ${socketCount} sockets more`,
      make: async ({ region, sometimes }) => {
        const leader = await region.leader();
        spawnSync('prlimit', ['--pid', String(leader.pid), `--nofile=${filesMax}:`]);
        const sockets = await openSockets(leader, socketCount);
        return async () => {
          if (sockets.some(({ destroyed }) => destroyed)) sometimes('sockets beyond the limit were closed');
          for (const socket of sockets) socket.destroy();
          spawnSync('prlimit', ['--pid', String(leader.pid), '--nofile=20000:']);
        };
      },
    },
  ];
}

async function restartInTurn(
  nodes: readonly RegionNode[],
  nodeArg: string | null,
  region: { readonly ready: () => Promise<void> },
): Promise<void> {
  for (const node of nodes) {
    await node.stop();
    node.start(nodeArg === null ? {} : { nodeArgs: [nodeArg] });
    await region.ready();
  }
}

/** Sockets that say nothing; beyond the limit of open files they are closed at once. */
async function openSockets(node: RegionNode, count: number): Promise<Socket[]> {
  const { hostname, port } = new URL(node.clientUrl);
  let settled = 0;
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(Number(port), hostname);
    socket.once('connect', () => settled++);
    socket.on('error', () => {});
    socket.on('close', () => settled++);
    return socket;
  });
  await until('the sockets to be open or refused', () => settled >= count, 5_000).catch(() => {});
  await pause(500);
  return sockets;
}
