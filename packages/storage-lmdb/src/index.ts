export { corruptCode, StorageOpenError, type StorageOpenErrorCode } from './errors.ts';
export type { GroupCommitLimits } from './group-commit.ts';
export { verifyFolder, type VerifyOptions, type VerifyReport } from './guard.ts';
export { formatVersion, type StorageIdentity } from './identity.ts';
export { LmdbStorage, type StorageStats } from './lmdb-storage.ts';
export { openStorage, type OpenStorageOptions } from './open-storage.ts';
export { retireFolder } from './retire-folder.ts';
export type { ScrubProgress } from './scrub.ts';
