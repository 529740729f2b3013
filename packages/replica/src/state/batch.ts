import { ByteReader, ByteWriter, DecodeError, replicaId, type ReplicaId } from '@skerry/base';
import { decodeCommand, type Command } from './command.ts';

/** One log entry: the commands of a turn with the leader's readings, which make applying them deterministic. */
export interface Batch {
  /** The leader's wall clock. */
  readonly wallMs: number;
  /** Stamps of promoted writes may not lie beyond this: wallMs + the leader's maxClockSkewMs. */
  readonly clampMs: number;
  /** The partition's cluster time (thesis 6.3): advances with the leaders' monotonic clocks alone. */
  readonly clusterMs: number;
  /** The leader that proposed it; consistent writes carry stamps of this replica. */
  readonly replica: ReplicaId;
  /** The leader's limit of a value's size: every replica uses the same. */
  readonly valueBytesMax: number;
  readonly commands: readonly Command[];
}

const version = 2;

export interface BatchHeader {
  readonly wallMs: number;
  readonly clampMs: number;
  readonly clusterMs: number;
  readonly replica: ReplicaId;
  readonly valueBytesMax: number;
}

/** `commands` are encoded already, as forwarded commands are: packing a batch decodes nothing. */
export function encodeBatch(header: BatchHeader, commands: readonly Uint8Array[]): Uint8Array {
  let bytes = 40;
  for (const command of commands) bytes += command.length;
  const writer = new ByteWriter(bytes);
  writer.u8(version).u48(header.wallMs).u48(header.clampMs).u48(header.clusterMs).u48(header.replica);
  writer.varint(header.valueBytesMax);
  writer.varint(commands.length);
  for (const command of commands) writer.raw(command);
  return writer.finish();
}

/** Values are views into `bytes`. */
export function decodeBatch(bytes: Uint8Array): Batch {
  const reader = new ByteReader(bytes);
  const found = reader.u8();
  if (found !== version) throw new DecodeError(`batch of version ${found}`);
  const header = {
    wallMs: reader.u48(),
    clampMs: reader.u48(),
    clusterMs: reader.u48(),
    replica: replicaId(reader.u48()),
    valueBytesMax: reader.varint(),
  };
  const commands = Array.from({ length: reader.count() }, () => decodeCommand(reader));
  reader.end();
  return { ...header, commands };
}
