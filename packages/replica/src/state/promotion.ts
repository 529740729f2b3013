import { DecodeError, type ByteReader, type ByteWriter } from '@skerry/base';
import { decodeOperation, decodeStamp, encodeOperation, encodeStamp, type Operation, type Stamp } from '@skerry/crdt';

/** A pending write as it is promoted. */
export interface Promotion {
  readonly key: string;
  /** With the writer's own stamp. */
  readonly op: Operation;
  /** The key's stamp as the writing node saw it; null: no such key. */
  readonly base: Stamp | null;
  /** `base` is that of a tombstone: the writer saw no value. */
  readonly baseDeleted?: boolean;
}

export function encodePromotion(writer: ByteWriter, { key, op, base, baseDeleted = false }: Promotion): void {
  writer.text(key);
  encodeOperation(writer, op);
  writer.u8(base === null ? 0 : baseDeleted ? 2 : 1);
  if (base !== null) encodeStamp(writer, base);
}

export function decodePromotion(reader: ByteReader): Promotion {
  const key = reader.text();
  const op = decodeOperation(reader);
  const kind = reader.u8();
  if (kind > 2) throw new DecodeError(`a base of kind ${kind}`);
  return { key, op, base: kind === 0 ? null : decodeStamp(reader), baseDeleted: kind === 2 };
}
