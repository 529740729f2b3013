export { connect, type ClientTiming, type ConnectOptions } from './connect.ts';
export { Client } from './client.ts';
export { SkerryError } from './errors.ts';
export { Lease, type LeaseOptions } from './lease.ts';
export { Receipt } from './receipt.ts';
export { TxnBuilder, type Txn, type TxnAction, type TxnCompare, type TxnResponse } from './txn.ts';
export type {
  CallOptions, Conflict, ConsistencyOptions, DeleteOptions, Entry, Form, GetOptions, ListOptions, Page, ReceiptStatus, Response, SetOptions,
  SwapOptions, ValueOf, WatchBatch, WatchOptions,
} from './types.ts';
