import type { Counts } from './clients/caller.ts';
import { leaseTtlMsMax } from './clients/leases.ts';
import type { System } from './system.ts';
import type { World } from './world.ts';

/** How long a healed world may take to become whole. */
const livenessMsMax = 60_000;
const settleEveryMs = 50;
/** After that, applied state is on every disk. */
const restMs = 300;
/** Within so long after its time a lease is over, and its keys are gone from every node. */
const leaseSlackMs = 1_500;

/** Runs until nothing is open and all nodes of all regions agree; says what is not so when time is over. */
export function becomeWhole(system: System, counts: Counts): string | null {
  const { queue } = system;
  const endMs = queue.nowMs + livenessMsMax;
  let problem: string | null = 'nothing was looked at';
  while (problem !== null && queue.nowMs < endMs) {
    runFor(system, settleEveryMs);
    problem = counts.open > 0 ? `${counts.open} calls are open` : unsettled(system);
  }
  if (problem === null) {
    runFor(system, restMs);
    const leasesEndMs = queue.nowMs + leaseTtlMsMax + leaseSlackMs;
    while (queue.nowMs < leasesEndMs && holdsLease(system)) runFor(system, settleEveryMs);
    problem = unsettled(system);
    // The end of a lease is an entry like any other, and goes to the other regions.
    while (problem !== null && queue.nowMs < endMs) {
      runFor(system, settleEveryMs);
      problem = unsettled(system);
    }
  }
  return problem === null ? null : `after ${livenessMsMax} ms without faults ${problem}\n${describeNodes(system)}`;
}

function runFor({ queue }: System, ms: number): void {
  const endMs = queue.nowMs + ms;
  while (queue.step(endMs));
}

/** Some node knows of a lease that is not over: if its time is, the judge finds its key. */
function holdsLease({ machines, plan }: System): boolean {
  if (!plan.operations.includes('lease')) return false;
  return machines.some(({ replica }) =>
    replica?.partitionsForTests.some(({ turn, state }) => {
      for (const _ of turn.store.scan({ ...state.keys.range('e'), limit: 1 })) return true;
      return false;
    }),
  );
}

function unsettled(system: System): string | null {
  for (const world of system.worlds) {
    const problem = unsettledIn(world);
    if (problem !== null) return system.links === null ? problem : `${world.region}: ${problem}`;
  }
  return system.links === null ? null : apart(system);
}

function unsettledIn({ plan, machines, members }: World): string | null {
  for (let partition = 0; partition < plan.partitionCount; partition++) {
    const states = [...machines.values()].flatMap((machine) => {
      if (!members.has(machine.name)) return [];
      const found = machine.replica?.status().partitions[partition];
      return found === undefined ? [] : [found];
    });
    const leader = states.find(({ role }) => role === 'leader');
    if (leader === undefined) return `partition ${partition} has no leader`;
    if (leader.voters.length !== members.size || leader.learners.length > 0)
      return `partition ${partition} has not the members it should have`;
    if (states.some(({ applied }) => applied !== leader.lastIndex))
      return `partition ${partition} is not applied everywhere`;
    if (states.some(({ pending }) => pending > 0)) return `partition ${partition} has pending writes`;
  }
  return null;
}

/** What the regions do not agree about: who is there, how far each log was applied, and what the values come to. */
function apart({ worlds, plan }: System): string | null {
  for (const { region, machines, members } of worlds) {
    for (const name of members) {
      const status = machines.get(name)?.replica?.regions() ?? [];
      const others = status.filter(({ state }) => state !== 'self');
      if (others.length !== worlds.length - 1) return `${name} of ${region} knows of ${others.length} other regions`;
      const wrong = others.find(({ state }) => state !== 'up');
      if (wrong !== undefined) return `${wrong.region} is ${wrong.state} for ${name} of ${region}`;
      for (const other of others) {
        const known = other.nodes
          .map(({ node }) => node)
          .sort()
          .join(' ');
        const real = [...(worlds.find((world) => world.region === other.region)?.members ?? [])].sort().join(' ');
        if (known !== real)
          return `${name} of ${region} takes ${known} for the nodes of ${other.region}, which are ${real}`;
      }
    }
  }
  for (let partition = 0; partition < plan.partitionCount; partition++) {
    const found = new Map<string, string>();
    for (const { machines, members } of worlds) {
      for (const name of members) {
        const state = machines.get(name)?.replica?.partitionsForTests[partition]?.state;
        if (state === undefined) return `${name} is down`;
        const positions = [...state.regions.positions()].filter(([, applied]) => applied > 0).sort(([a], [b]) => a - b);
        const { high, low } = state.values.digests.root;
        found.set(
          `${positions.map(([origin, applied]) => `${origin}:${applied}`).join(' ')} with digest ${high}:${low}`,
          name,
        );
      }
    }
    if (found.size > 1)
      return `partition ${partition} differs: ${[...found].map(([state, name]) => `${name} has ${state}`).join('; ')}`;
  }
  return null;
}

function describeNodes({ machines }: System): string {
  return machines
    .map(
      (machine) =>
        `${machine.label} ${JSON.stringify(machine.replica?.status().partitions)} ${JSON.stringify(machine.replica?.metrics())}`,
    )
    .join('\n');
}
