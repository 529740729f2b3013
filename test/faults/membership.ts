import { rmSync } from 'node:fs';
import { nodeId, replicaId } from '@skerry/base';
import { faultScenario, type Heal, type Hurt, type Scene } from './lib/fault-run.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { until } from './lib/until.ts';

const votersAtStart = 3;
const patienceMs = 60_000;

/** FAULTS F10: members come and go under F1 to F3. Each way ends with three voters again. */
export const membership: Scenario = faultScenario(
  {
    name: 'membership',
    summary:
      'nodes are added, removed and replaced, from three to five and back, while others are killed, paused, cut off',
    trials: 12,
  },
  {
    region: { nodes: votersAtStart, spares: 2 },
    hurts: [
      changing('a node is added while the leader is killed', async (scene) => {
        const spare = spareOf(scene);
        const leader = await scene.region.leader();
        const added = add(scene, [spare]);
        await leader.kill();
        leader.start();
        await added;
      }),
      changing('the leader is removed', async (scene) => {
        const leader = await scene.region.leader();
        await add(scene, [spareOf(scene)]);
        await remove(scene, [leader]);
      }),
      changing('a follower is removed while the other one is paused', async (scene) => {
        const leader = await scene.region.leader();
        await add(scene, [spareOf(scene)]);
        const [gone, paused] = scene.region.running.filter((node) => node !== leader);
        paused?.pause();
        const removed = remove(scene, [gone as RegionNode]);
        setTimeout(() => paused?.resume(), 1_000);
        await removed;
      }),
      changing('a node is replaced in one step while the leader is cut off', async (scene) => {
        const leader = await scene.region.leader();
        const [old] = scene.region.running.filter((node) => node !== leader);
        const spare = spareOf(scene);
        startAnew(spare);
        const others = scene.region.running.filter((node) => node !== leader && node !== spare);
        await leader.cut(others.map(({ name }) => name));
        const changed = change(scene, { add: [spare], remove: [old as RegionNode] });
        setTimeout(() => void leader.heal().catch(() => {}), 800);
        await changed;
      }),
      changing('three to five, kill the leader, and back to three', async (scene) => {
        const spares = scene.region.nodes.filter((node) => !node.isRunning);
        await add(scene, spares);
        const leader = await scene.region.leader();
        await leader.kill();
        await remove(scene, spares.slice(0, 1));
        leader.start();
      }),
      changing('a follower loses its disk and is rebuilt', async (scene) => {
        const leader = await scene.region.leader();
        const [victim] = scene.region.running.filter((node) => node !== leader) as [RegionNode];
        await victim.kill();
        rmSync(victim.dataFolder, { recursive: true });
        const via = scene.region.running.map(({ clientUrl }) => clientUrl).join(',');
        victim.start({ args: ['--rebuild', '--via', via] });
        await until('it to be back', () => victim.isReady(), patienceMs);
      }),
    ],
    // Quorum-less writes that a node had not passed on when it was taken away are gone with it.
    callers: { atEachNode: 0, mixed: false, roaming: 16 },
    wanted: ['another leader', 'a change of members was asked for again'],
  },
);

/** Afterwards three voters are left, and whoever is none is stopped. */
function changing(name: string, act: (scene: Scene) => Promise<void>): Hurt {
  return {
    name,
    lastsMs: 300,
    make: async (scene): Promise<Heal> => {
      await act(scene);
      return async () => {
        const { region } = scene;
        const voters = await votersOf(scene);
        const surplus = region.running.filter(({ name: node }) => voters.includes(node)).slice(votersAtStart);
        if (surplus.length > 0) await remove(scene, surplus);
        // One that was rebuilt is ready to serve before it has caught up and votes again.
        const left = await votersOf(scene, ({ length }) => length >= votersAtStart).catch(() => votersOf(scene));
        for (const node of region.running) if (!left.includes(node.name)) await node.kill();
        for (const node of region.nodes) if (left.includes(node.name) && !node.isRunning) node.start();
        if (left.length !== votersAtStart) scene.problem(`the voters are ${left.join(', ')}`);
      };
    },
  };
}

/** Once they are as wanted. */
async function votersOf(
  { region }: Scene,
  wanted: (voters: readonly string[]) => boolean = () => true,
): Promise<readonly string[]> {
  return until(
    'the voters',
    async () => {
      const voters = (await (await region.leader()).status())?.partitions[0]?.voters;
      return voters !== undefined && wanted(voters) ? voters : undefined;
    },
    patienceMs,
  );
}

function spareOf({ region }: Scene): RegionNode {
  const spare = region.nodes.find((node) => !node.isRunning);
  if (spare === undefined) throw new Error('every node runs');
  return spare;
}

/** With an empty folder, under a new incarnation, which the others must be told: its former one may have been back since. */
function startAnew(node: RegionNode): void {
  rmSync(node.dataFolder, { recursive: true, force: true });
  node.start({ args: ['--join', '--bootstrap', ''] });
}

async function add(scene: Scene, nodes: readonly RegionNode[]): Promise<void> {
  for (const node of nodes) startAnew(node);
  await change(scene, { add: nodes, remove: [] });
}

function remove(scene: Scene, nodes: readonly RegionNode[]): Promise<void> {
  return change(scene, { add: [], remove: nodes });
}

/** A change that was cut short may have been made: it is asked for until it is so. */
async function change(
  scene: Scene,
  members: { readonly add: readonly RegionNode[]; readonly remove: readonly RegionNode[] },
): Promise<void> {
  const { region, sometimes } = scene;
  const isDone = async (): Promise<boolean> => {
    const voters = await votersOf(scene);
    return (
      members.add.every(({ name }) => voters.includes(name)) &&
      members.remove.every(({ name }) => !voters.includes(name))
    );
  };
  await region.listening(members.add);
  const db = await region.client(region.running.filter((node) => !members.add.includes(node)));
  const deadlineMs = performance.now() + patienceMs;
  for (let attempt = 1; !(await isDone()); attempt++) {
    if (attempt === 2) sometimes('a change of members was asked for again');
    if (performance.now() > deadlineMs) throw new Error('the members could not be changed');
    const specs = members.add.map(({ name, peerUrl, clientUrl, adminUrl, log }) => ({
      node: nodeId(name),
      peerUrl,
      clientUrl,
      adminUrl,
      learner: false,
      replica: replicaId(Number(/"replica":(\d+)(?!.*"replica":)/s.exec(log)?.[1])),
    }));
    await db
      .changeMembers({ add: specs, remove: members.remove.map(({ name }) => name), blocking: false, timeoutMs: 5_000 })
      .catch(() => {});
  }
  await db.close();
}
