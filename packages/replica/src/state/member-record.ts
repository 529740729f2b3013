import { replicaId, type ByteReader, type ByteWriter, type NodeId, type ReplicaId } from '@skerry/base';
import { readNode } from './fields.ts';

export interface MemberRecord {
  readonly node: NodeId;
  readonly replica: ReplicaId | null;
  /** The node itself said that it is this incarnation; else the operator did. */
  readonly announced: boolean;
  readonly learner: boolean;
  readonly peerUrl: string;
  readonly clientUrl: string;
  readonly adminUrl: string;
}

export function encodeMember(writer: ByteWriter, member: MemberRecord): void {
  writer
    .text(member.node)
    .bool(member.announced)
    .bool(member.learner)
    .text(member.peerUrl)
    .text(member.clientUrl)
    .text(member.adminUrl);
  writer.bool(member.replica !== null);
  if (member.replica !== null) writer.u48(member.replica);
}

export function decodeMember(reader: ByteReader): MemberRecord {
  const fields = {
    node: readNode(reader),
    announced: reader.bool(),
    learner: reader.bool(),
    peerUrl: reader.text(),
    clientUrl: reader.text(),
    adminUrl: reader.text(),
  };
  return { ...fields, replica: reader.bool() ? replicaId(reader.u48()) : null };
}
