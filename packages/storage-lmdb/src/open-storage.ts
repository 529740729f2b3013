import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { StorageEvents } from '@skerry/replica';
import { dataFileName, environmentStats, openEnvironment, type Environment } from './environment.ts';
import { StorageOpenError } from './errors.ts';
import { lockFolder } from './folder-lock.ts';
import { verifyFolder, type VerifyOptions } from './guard.ts';
import { defaultGroupCommitLimits, type GroupCommitLimits } from './group-commit.ts';
import {
  createIdentity,
  readIdentityFile,
  readIdentityRecord,
  syncFolder,
  writeIdentityFile,
  writeIdentityRecord,
  type StorageIdentity,
} from './identity.ts';
import { LmdbStorage } from './lmdb-storage.ts';

export interface OpenStorageOptions {
  readonly folder: string;
  readonly events: StorageEvents;
  /** Default true: makes a storage with a new identity where there is none. False: FOLDER_MISSING. */
  readonly create?: boolean;
  /** The storage counts as full when its pages come within the reserve of this. Default 64 GiB. */
  readonly mapBytesMax?: number;
  /** With less than this left, `onFull(true)` is told while writes still go on. Default 16 MiB; 0: only when a write fails. */
  readonly reserveBytes?: number;
  /** How often the free space is looked at. Default 1 s. */
  readonly spacePollMs?: number;
  readonly groupCommitLimits?: Partial<GroupCommitLimits>;
  /** The check before the folder is opened; what it leaves is for {@link LmdbStorage.scrub}. */
  readonly verify?: VerifyOptions;
}

const mebibyte = 1_024 * 1_024;
const defaultMapBytesMax = 64 * 1_024 * mebibyte;
const defaultReserveBytes = 16 * mebibyte;
const defaultSpacePollMs = 1_000;
/** LMDB maps more by itself when the data outgrows this. */
const firstMapBytesMax = 16 * 1_024 * mebibyte;

/**
 * Opens the storage in a folder, or makes one. Throws `StorageOpenError` with a code, or `StorageCorruptError` when the
 * folder is damaged: the node must then be rebuilt from its peers (`retireFolder`, and open again).
 */
export async function openStorage(options: OpenStorageOptions): Promise<LmdbStorage> {
  const folder = resolve(options.folder);
  const create = options.create ?? true;
  if (!existsSync(folder)) {
    if (!create) throw new StorageOpenError('FOLDER_MISSING', `${folder} does not exist`);
    makeFolder(folder);
  }
  const unlock = lockFolder(folder);
  let environment: Environment | null = null;
  try {
    const fileIdentity = readIdentityFile(folder);
    requireParts(folder, { create, hasIdentity: fileIdentity !== null });
    const { unreadFrom } = await verifyFolder(folder, options.verify);
    const mapBytesMax = options.mapBytesMax ?? defaultMapBytesMax;
    environment = openEnvironment(folder, Math.min(mapBytesMax, firstMapBytesMax));
    const identity = agreeOnIdentity(folder, environment, fileIdentity);
    return new LmdbStorage({
      folder,
      environment,
      identity,
      events: options.events,
      mapBytesMax,
      reserveBytes: options.reserveBytes ?? defaultReserveBytes,
      spacePollMs: options.spacePollMs ?? defaultSpacePollMs,
      groupCommitLimits: { ...defaultGroupCommitLimits, ...options.groupCommitLimits },
      scrubFrom: unreadFrom,
      unlock,
    });
  } catch (error) {
    await environment?.close();
    unlock();
    throw error;
  }
}

/** Makes the folder and those above it, so that a power cut does not take them back. */
function makeFolder(folder: string): void {
  const firstMade = mkdirSync(folder, { recursive: true });
  if (firstMade === undefined) return;
  for (let made = folder; made.length >= firstMade.length; made = dirname(made)) syncFolder(dirname(made));
}

function requireParts(
  folder: string,
  { create, hasIdentity }: { readonly create: boolean; readonly hasIdentity: boolean },
): void {
  const hasData = existsSync(join(folder, dataFileName));
  if (hasIdentity && !hasData) {
    throw new StorageOpenError('IDENTITY_MISMATCH', `${folder} has an identity but its ${dataFileName} is missing`);
  }
  if (!hasData && !create) throw new StorageOpenError('FOLDER_MISSING', `${folder} holds no storage`);
}

/** Makes the identity of a new folder; otherwise both copies must be there and equal. */
function agreeOnIdentity(folder: string, environment: Environment, inFile: StorageIdentity | null): StorageIdentity {
  const inRecord = readIdentityRecord(environment);
  if (inFile !== null && inRecord !== null) {
    if (inFile.replica === inRecord.replica && inFile.incarnation === inRecord.incarnation) return inRecord;
    throw new StorageOpenError(
      'IDENTITY_MISMATCH',
      `${folder}: the identity file names ${inFile.incarnation}, the data ${inRecord.incarnation}`,
    );
  }
  if (inFile !== null) throw new StorageOpenError('IDENTITY_MISMATCH', `${folder}: the data has no identity`);
  // No file. A crash while the folder was made leaves the data without it, but then no record was ever written.
  const { recordCount } = environmentStats(environment);
  if (recordCount > (inRecord === null ? 0 : 1)) {
    throw new StorageOpenError('IDENTITY_MISMATCH', `${folder} holds data but no identity file`);
  }
  const identity = inRecord ?? createIdentity();
  if (inRecord === null) writeIdentityRecord(environment, identity);
  syncFolder(folder);
  writeIdentityFile(folder, identity);
  return identity;
}
