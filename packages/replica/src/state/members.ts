import { ByteReader, type NodeId } from '@skerry/base';
import { ByteWriter } from '@skerry/base';
import type { StateKeys } from '../keys.ts';
import type { StagedStore } from '../staged-store.ts';
import { decodeMember, encodeMember, type MemberRecord } from './member-record.ts';

/**
 * The region's members as the operator wants them, with their incarnations and addresses: kept in partition 0. The
 * leaders of all partitions bring their groups in line with it.
 */
export class Members {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;

  constructor(keys: StateKeys, store: StagedStore) {
    this.#keys = keys;
    this.#store = store;
  }

  all(): MemberRecord[] {
    return Array.from(this.#store.scan(this.#keys.range('n')), ({ value }) =>
      decodeMember(new ByteReader(value.slice())),
    );
  }

  find(node: NodeId): MemberRecord | null {
    const record = this.#store.get(this.#keys.member(node));
    return record === undefined ? null : decodeMember(new ByteReader(record.slice()));
  }

  /**
   * A member tells about itself. An incarnation is taken over only where none is recorded: a node that lost its data
   * folder does not become a member again by announcing itself.
   */
  announce(member: MemberRecord): boolean {
    const known = this.find(member.node);
    if (known === null || (known.replica !== null && known.replica !== member.replica)) return false;
    // The operator named this incarnation in place of one that may never have told its own: that one still has to leave
    // every group, however soon the new one is heard of.
    const announced = known.replica === null || known.announced;
    return this.#put(known, { ...member, learner: known.learner, announced });
  }

  set(member: MemberRecord): boolean {
    const known = this.find(member.node);
    const replica = member.replica ?? known?.replica ?? null;
    return this.#put(known, {
      ...member,
      replica,
      announced: known !== null && known.announced && known.replica === replica,
    });
  }

  remove(node: NodeId): boolean {
    if (this.find(node) === null) return false;
    this.#store.deferDelete(this.#keys.member(node));
    return true;
  }

  #put(known: MemberRecord | null, member: MemberRecord): boolean {
    if (
      known !== null &&
      (Object.keys(member) as (keyof MemberRecord)[]).every((field) => known[field] === member[field])
    )
      return false;
    const writer = new ByteWriter();
    encodeMember(writer, member);
    this.#store.defer(this.#keys.member(member.node), writer.finish());
    return true;
  }
}
