export { connect, type ClientTiming, type ConnectOptions } from './connect.ts';
export { Client } from './client.ts';
export { Counter } from './counter.ts';
export { DocumentOf } from './document.ts';
export type { TextEdits } from '@skerry/crdt';
export { SkerryError } from './errors.ts';
export { Flag } from './flag.ts';
export { Lease, type LeaseOptions } from './lease.ts';
export { Multi, type Concurrent, type MultiResponse, type MultiSetOptions } from './multi.ts';
export { Receipt } from './receipt.ts';
export { SetOf } from './set-of.ts';
export { TxnBuilder, type Txn, type TxnAction, type TxnCompare, type TxnResponse } from './txn.ts';
export type {
  CallOptions,
  Conflict,
  ConflictPage,
  ConflictsOptions,
  ConsistencyOptions,
  DeleteOptions,
  Entry,
  Followed,
  FollowOptions,
  Form,
  GetOptions,
  ListOptions,
  Page,
  ReadOptions,
  ReceiptStatus,
  Response,
  SetOptions,
  SwapOptions,
  UpdateOptions,
  ValueOf,
  View,
  WatchBatch,
  WatchedChange,
  WatchOptions,
  WriteResponse,
} from './types.ts';
