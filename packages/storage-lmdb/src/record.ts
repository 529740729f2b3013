import { Buffer } from 'node:buffer';
import * as zlib from 'node:zlib';
import { assert, crc32 as crc32InScript, isWellFormed } from '@skerry/base';
import { StorageCorruptError, storageKeyBytesMax, type StorageWrite } from '@skerry/replica';

/**
 * How a record lies in LMDB: key = one space byte, then the key's UTF-8; value = the payload, then the CRC-32
 * (big-endian) of stored key and payload. So a record that is intact but under another record's key is noticed too,
 * and since LMDB keeps key and value side by side the guard checks most records in one stretch of bytes.
 *
 * The space byte keeps what belongs to the storage itself (the identity) apart from the replica's records, lets the
 * empty key exist, which LMDB forbids, and costs less than a second LMDB database, whose root every commit would write.
 */
const spaceOwn = 0;
const spaceRecords = 1;
const crcBytes = 4;

/** A stored key above those of all records. */
export const afterRecords: Buffer = Buffer.from([spaceRecords + 1]);

/** Node has it since 20.15 and 22.2, about ten times as fast. */
const crc32: (bytes: Uint8Array, seed?: number) => number =
  typeof zlib.crc32 === 'function' ? zlib.crc32 : crc32InScript;

/** What one submit becomes: stored keys with stored values (null deletes), in the order given. */
export interface EncodedBatch {
  readonly keys: readonly Buffer[];
  readonly values: readonly (Buffer | null)[];
  readonly bytes: number;
}

/** The stored form of a key; bounds of ranges are encoded the same way. */
export function encodeKey(key: string): Buffer {
  const keyBytes = Buffer.byteLength(key);
  checkKey(key, keyBytes);
  const stored = Buffer.allocUnsafe(1 + keyBytes);
  stored[0] = spaceRecords;
  stored.write(key, 1);
  return stored;
}

export function encodeOwnKey(name: string): Buffer {
  return Buffer.from(`${String.fromCharCode(spaceOwn)}${name}`);
}

export function decodeKey(stored: Uint8Array): string {
  return Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength).toString('utf8', 1);
}

/** One allocation for the whole batch: LMDB copies the bytes when its thread gets to them, and keeps them alive till then. */
export function encodeBatch(batch: readonly StorageWrite[]): EncodedBatch {
  let bytes = 0;
  for (const { key, value } of batch)
    bytes += 1 + Buffer.byteLength(key) + (value === null ? 0 : value.length + crcBytes);
  const slab = Buffer.allocUnsafeSlow(bytes);
  const keys: Buffer[] = [];
  const values: (Buffer | null)[] = [];
  let at = 0;
  for (const { key, value } of batch) {
    const keyStart = at;
    slab[at++] = spaceRecords;
    at += slab.write(key, at);
    checkKey(key, at - keyStart - 1);
    keys.push(slab.subarray(keyStart, at));
    if (value === null) {
      values.push(null);
      continue;
    }
    const valueStart = at;
    slab.set(value, at);
    at += value.length;
    at = slab.writeUInt32BE(crc32(slab.subarray(keyStart, at)), at);
    values.push(slab.subarray(valueStart, at));
  }
  return { keys, values, bytes };
}

/** The stored value of one record, for the few that are not written through a batch. */
export function encodeValue(storedKey: Uint8Array, payload: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(payload.length + crcBytes);
  stored.set(payload);
  stored.writeUInt32BE(crc32(payload, crc32(storedKey)), payload.length);
  return stored;
}

/** The payload of a stored value, as a view of it. Throws {@link StorageCorruptError} if the checksum does not match. */
export function decodeValue(storedKey: Uint8Array, stored: Uint8Array): Uint8Array {
  const payloadBytes = stored.length - crcBytes;
  if (payloadBytes >= 0) {
    // Not a subarray: that would be a Buffer, whose slice() is a view where a Uint8Array's is a copy.
    const payload = new Uint8Array(stored.buffer, stored.byteOffset, payloadBytes);
    const crc = new DataView(stored.buffer, stored.byteOffset + payloadBytes).getUint32(0);
    if (crc32(payload, crc32(storedKey)) === crc) return payload;
  }
  const key = JSON.stringify(decodeKey(storedKey));
  throw new StorageCorruptError(`record ${key} does not match its checksum`, `data.mdb, key ${key}`);
}

function checkKey(key: string, keyBytes: number): void {
  assert(keyBytes <= storageKeyBytesMax, 'storage key is too long', { keyBytes, storageKeyBytesMax });
  assert(isWellFormed(key), 'storage key has a lone surrogate', { key: JSON.stringify(key) });
}
