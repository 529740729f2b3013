export { getLastLog, type LastLogOptions } from './last-log.ts';
export { lock, type LockOptions } from './lock.ts';
export { election, type Election, type Leader } from './election.ts';
export type { Hold, HoldDb, HoldOptions } from './hold.ts';
