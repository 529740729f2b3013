import type { NodeId, RegionId } from '@skerry/base';
import type { Member, MembersMessage, RegionClients } from '@skerry/protocol';
import type { DirectoryEntry, NodeStatus, RegionDirectoryEntry } from '@skerry/replica';

/** What clients are told of the cluster: the members of this region, who leads, and where other regions take clients. */
export class MembersView {
  readonly #region: RegionId;
  #members: readonly Member[] = [];
  #leaders: readonly (NodeId | null)[];
  /** null until the replica has told of any. */
  #regions: readonly RegionClients[] | null = null;

  constructor(region: RegionId, partitionCount: number) {
    this.#region = region;
    this.#leaders = Array.from({ length: partitionCount }, () => null);
  }

  get message(): MembersMessage {
    const own = { region: this.#region, clientUrls: urlsOf(this.#members) };
    return { kind: 'members', members: this.#members, leaders: this.#leaders, regions: this.#regions ?? [own] };
  }

  set(entries: readonly DirectoryEntry[], { partitions }: NodeStatus): void {
    this.#members = entries.map(({ node, role, clientUrl, adminUrl }) => ({ node, role, clientUrl, adminUrl }));
    const leaders = [...this.#leaders];
    for (const { partition, leader } of partitions) leaders[partition] = leader;
    this.#leaders = leaders;
  }

  /** A region that was evicted is none of the cluster's: nobody is sent there. */
  setRegions(entries: readonly RegionDirectoryEntry[]): void {
    this.#regions = entries
      .filter(({ evicted }) => !evicted)
      .map(({ region, nodes }) => ({ region, clientUrls: urlsOf(nodes) }));
  }
}

/** Without the nodes that have not announced themselves yet. */
function urlsOf(nodes: readonly { readonly clientUrl: string }[]): string[] {
  return nodes.map(({ clientUrl }) => clientUrl).filter((url) => url !== '');
}
