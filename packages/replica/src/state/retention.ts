import type { ByteReader, ByteWriter } from '@skerry/base';

/** The leader's settings for what is kept how long, so that every replica uses the same. */
export interface Retention {
  readonly sessionIdleMs: number;
  readonly sessionIdleQuorumlessMs: number;
  readonly receiptCountMax: number;
  readonly ledgerCountMax: number;
  readonly ledgerAgeMs: number;
  readonly tombstoneKeepMs: number;
}

export function encodeRetention(writer: ByteWriter, retention: Retention): void {
  writer.varint(retention.sessionIdleMs).varint(retention.sessionIdleQuorumlessMs);
  writer.varint(retention.receiptCountMax).varint(retention.ledgerCountMax);
  writer.varint(retention.ledgerAgeMs).varint(retention.tombstoneKeepMs);
}

export function decodeRetention(reader: ByteReader): Retention {
  return {
    sessionIdleMs: reader.varint(),
    sessionIdleQuorumlessMs: reader.varint(),
    receiptCountMax: reader.varint(),
    ledgerCountMax: reader.varint(),
    ledgerAgeMs: reader.varint(),
    tombstoneKeepMs: reader.varint(),
  };
}
