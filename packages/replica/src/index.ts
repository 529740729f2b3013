export { MemoryStorage } from './ports/memory-storage.ts';
export { withoutRuns } from './runs.ts';
export { decodeChanges, resolveChange } from './state/feed.ts';
export {
  StorageCorruptError,
  StorageFailedError,
  storageKeyBytesMax,
  type Storage,
  type StorageEvents,
  type StorageRange,
  type StorageReader,
  type StorageRecord,
  type StorageSource,
  type StorageView,
  type StorageWrite,
} from './ports/storage.ts';
export type * from './requests.ts';
export type { LinkEvents, LinkLog, LogBatch, LogOrigin, RegionContacts, RegionLink } from './ports/link.ts';
export {
  defaultLimits,
  defaultTiming,
  type DirectoryEntry,
  type Effects,
  type LinkEffects,
  type Now,
  type RegionDirectoryEntry,
  type Seen,
  type ReplicaLimits,
  type ReplicaOptions,
  type ReplicaTiming,
  type RequestHandle,
} from './replica-api.ts';
export { Replica } from './replica.ts';
export { decodePeerFrame, encodePeerFrame, type PeerMessage } from './peer-message.ts';
export { decodeLinkFrame, type LinkMessage } from './regions/link-message.ts';
