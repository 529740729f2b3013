import { assert, compareText, type NodeId } from '@skerry/base';
import type { ConfigChange, ConfigState } from './types.ts';

/** True while two sets of voters decide together (section 6). */
export function isJoint(config: ConfigState): boolean {
  return config.votersOutgoing.length > 0;
}

export function isVoter(config: ConfigState, id: NodeId): boolean {
  return config.voters.includes(id) || config.votersOutgoing.includes(id);
}

/** Everybody that receives the log, sorted. */
export function membersOf(config: ConfigState): NodeId[] {
  return sorted(new Set([...config.voters, ...config.votersOutgoing, ...config.learners]));
}

/** A configuration of `voters` and `learners` that is not joint. */
export function simpleConfig(voters: readonly NodeId[], learners: readonly NodeId[] = []): ConfigState {
  const config = { voters: sorted(voters), votersOutgoing: [], learners: sorted(learners), learnersNext: [] };
  checkConfigState(config);
  return config;
}

/**
 * The configuration that `change` leads to from one that is not joint. As soon as the voters differ it is joint:
 * one rule for one voter and for many, and the only one for which no order of crashes splits the majority
 * (thesis 4.3). Null if it would leave no voter, or changes nothing.
 */
export function enterChange(config: ConfigState, change: ConfigChange): ConfigState | null {
  assert(!isJoint(config), 'a change begins while another is in progress');
  const voters = new Set(config.voters);
  const learners = new Set(config.learners);
  for (const { kind, id } of change) {
    voters.delete(id);
    learners.delete(id);
    if (kind === 'addVoter') voters.add(id);
    if (kind === 'addLearner') learners.add(id);
  }
  if (voters.size === 0) return null;
  if (sameMembers(voters, config.voters)) {
    return sameMembers(learners, config.learners) ? null : simpleConfig(config.voters, [...learners]);
  }
  // A voter that is being demoted still votes with the old voters, so it becomes a learner only at the end.
  const learnersNext = [...learners].filter((id) => config.voters.includes(id));
  const entered = {
    voters: sorted(voters),
    votersOutgoing: config.voters,
    learners: sorted([...learners].filter((id) => !learnersNext.includes(id))),
    learnersNext: sorted(learnersNext),
  };
  checkConfigState(entered);
  return entered;
}

/** The new voters alone decide: C-new of section 6. */
export function leaveJoint(config: ConfigState): ConfigState {
  assert(isJoint(config), 'leave without a change in progress');
  return simpleConfig(config.voters, [...config.learners, ...config.learnersNext]);
}

/** Why `config` breaks an invariant of {@link ConfigState}; null if it breaks none. */
export function configStateFault(config: ConfigState): string | null {
  const { voters, votersOutgoing, learners, learnersNext } = config;
  if (voters.length === 0) return 'no voters';
  for (const list of [voters, votersOutgoing, learners, learnersNext]) {
    for (let i = 1; i < list.length; i++) {
      if (compareText(list[i - 1] as string, list[i] as string) >= 0) return 'a list is not sorted';
    }
  }
  if (learners.some((id) => isVoter(config, id))) return 'a learner votes';
  if (learnersNext.some((id) => !votersOutgoing.includes(id) || voters.includes(id)))
    return 'a next learner is no outgoing voter';
  return null;
}

export function checkConfigState(config: ConfigState): void {
  const fault = configStateFault(config);
  assert(fault === null, 'invalid configuration', { fault });
}

function sameMembers(set: ReadonlySet<NodeId>, list: readonly NodeId[]): boolean {
  return set.size === list.length && list.every((id) => set.has(id));
}

function sorted(ids: Iterable<NodeId>): NodeId[] {
  return [...ids].sort(compareText);
}
