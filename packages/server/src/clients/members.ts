import type { NodeId } from '@skerry/base';
import type { Member, MembersMessage } from '@skerry/protocol';
import type { DirectoryEntry, NodeStatus } from '@skerry/replica';

/** What clients are told of the region: the members and who leads. */
export class MembersView {
  #members: readonly Member[] = [];
  #leaders: readonly (NodeId | null)[];

  constructor(partitionCount: number) {
    this.#leaders = Array.from({ length: partitionCount }, () => null);
  }

  get message(): MembersMessage {
    return { kind: 'members', members: this.#members, leaders: this.#leaders };
  }

  set(entries: readonly DirectoryEntry[], { partitions }: NodeStatus): void {
    this.#members = entries.map(({ node, role, clientUrl, adminUrl }) => ({ node, role, clientUrl, adminUrl }));
    const leaders = [...this.#leaders];
    for (const { partition, leader } of partitions) leaders[partition] = leader;
    this.#leaders = leaders;
  }
}
