import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { replicaId, type ReplicaId } from '@skerry/base';
import { StorageCorruptError } from '@skerry/replica';
import type { Environment } from './environment.ts';
import { StorageOpenError } from './errors.ts';
import { decodeValue, encodeOwnKey, encodeValue } from './record.ts';

/**
 * Counts up with each change of the records (commands in the log among them) or files after which an older version would misread what a newer one wrote, or
 * the other way round. `test/integration/versions` keeps a folder of each format, and says what to do when it fails.
 */
export const formatVersion = 7;

export const identityFileName = 'SKERRY';

/**
 * Who this folder is, drawn at random when it is made and kept in two places, in the environment and in a file beside
 * it. A folder of which one part was lost or replaced is refused: under its old name it would use sequence numbers again.
 */
export interface StorageIdentity {
  readonly replica: ReplicaId;
  /** Names this life of the folder in words for people and logs; as unique as the replica id. */
  readonly incarnation: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly formatVersion: number;
}

const identityKey = encodeOwnKey('identity');

export function createIdentity(): StorageIdentity {
  return {
    replica: replicaId(randomBytes(6).readUIntBE(0, 6)),
    incarnation: randomUUID(),
    createdMs: Date.now(),
    formatVersion,
  };
}

/** The identity in the SKERRY file, or null if there is no such file. */
export function readIdentityFile(folder: string): StorageIdentity | null {
  const path = join(folder, identityFileName);
  if (!existsSync(path)) return null;
  return parseIdentity(readFileSync(path, 'utf8'), identityFileName);
}

/** Written aside, synced, then renamed: a crash leaves the whole file or none. */
export function writeIdentityFile(folder: string, identity: StorageIdentity): void {
  const path = join(folder, identityFileName);
  const file = openSync(`${path}.new`, 'w');
  try {
    writeFileSync(file, `${JSON.stringify(identity, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  syncFolder(folder);
}

export function readIdentityRecord(environment: Environment): StorageIdentity | null {
  const stored = environment.getBinary(identityKey);
  if (stored === undefined) return null;
  return parseIdentity(new TextDecoder().decode(decodeValue(identityKey, stored)), 'data.mdb');
}

export function writeIdentityRecord(environment: Environment, identity: StorageIdentity): void {
  const payload = new TextEncoder().encode(JSON.stringify(identity));
  environment.transactionSync(() => environment.putSync(identityKey, encodeValue(identityKey, payload)));
}

/** Makes names in the folder (new and renamed files) survive a power cut. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function parseIdentity(text: string, where: string): StorageIdentity {
  let identity: Partial<StorageIdentity>;
  try {
    identity = JSON.parse(text) as Partial<StorageIdentity>;
  } catch {
    throw new StorageCorruptError(`the identity in ${where} is not JSON`, where);
  }
  if (identity.formatVersion !== formatVersion) {
    const found = String(identity.formatVersion);
    throw new StorageOpenError(
      'FORMAT_VERSION',
      `the data folder has format ${found}, this version of Skerry reads and writes format ${formatVersion} alone. ` +
        'Nothing in it was changed: the version that made it opens it as before. docs/upgrading.md says how its data comes over',
    );
  }
  const { replica, incarnation, createdMs } = identity;
  if (!Number.isInteger(replica) || typeof incarnation !== 'string' || typeof createdMs !== 'number') {
    throw new StorageCorruptError(`the identity in ${where} is incomplete`, where);
  }
  return { replica: replicaId(replica as number), incarnation, createdMs, formatVersion };
}
