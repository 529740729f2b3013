import { hashText, isWellFormed, partitionId, utf8Length, type PartitionId } from '@skerry/base';
import type { ReplicaLimits } from './replica-api.ts';
import type { ControlOperation, Operation, ReplicaErrorCode, TxnOperation, ValueChange } from './requests.ts';
import { isVersion } from './state/state-machine.ts';

export interface Refusal {
  readonly code: ReplicaErrorCode;
  readonly detail: string;
}

/** The partition that owns `key`; fixed for the life of a cluster. */
export function partitionOf(key: string, partitionCount: number): PartitionId {
  return partitionId(hashText(key) % partitionCount);
}

/** Why `operation` cannot be served as it is; null: it can. */
export function refusalOf(
  operation: Operation | ControlOperation,
  limits: ReplicaLimits,
  partitionCount: number,
): Refusal | null {
  switch (operation.kind) {
    case 'get':
    case 'read':
    case 'delete':
      return refusalOfKey(operation.key, limits);
    case 'update':
      return refusalOfKey(operation.key, limits) ?? refusalOfChange(operation.change, limits);
    case 'set':
      if (operation.lease !== undefined && !operation.consistent)
        return { code: 'BAD_REQUEST', detail: 'a lease needs a consistent write' };
      return (
        refusalOfKey(operation.key, limits) ??
        refusalOfValue(operation.value, limits) ??
        refusalOfLease(operation.lease)
      );
    case 'swap':
      return (
        refusalOfKey(operation.key, limits) ??
        refusalOfValue(operation.newValue, limits) ??
        refusalOfLease(operation.lease)
      );
    case 'leaseGrant':
      if (!Number.isSafeInteger(operation.ttlMs) || operation.ttlMs < 1 || operation.ttlMs > 366 * 24 * 3_600_000) {
        return { code: 'BAD_REQUEST', detail: 'ttlMs is 1 to a year' };
      }
      return refusalOfKey(operation.key, limits) ?? refusalOfLease(operation.lease);
    case 'leaseKeepAlive':
    case 'leaseRevoke':
      return refusalOfKey(operation.key, limits) ?? refusalOfLease(operation.lease);
    case 'txn':
      return refusalOfTxn(operation, limits, partitionCount);
    case 'list':
      if (!isWellFormed(operation.prefix) || !isWellFormed(operation.after))
        return { code: 'KEY_NOT_UTF8', detail: 'prefix or after has a lone surrogate' };
      if (!Number.isInteger(operation.limit) || operation.limit < 1 || operation.limit > limits.listLimitMax) {
        return { code: 'BAD_REQUEST', detail: `limit is 1 to ${limits.listLimitMax}` };
      }
      return null;
    case 'watch':
      if (operation.prefix)
        return isWellFormed(operation.key) ? null : { code: 'KEY_NOT_UTF8', detail: 'prefix has a lone surrogate' };
      return refusalOfKey(operation.key, limits);
    default:
      return null;
  }
}

function refusalOfTxn(
  operation: Extract<Operation, { kind: 'txn' }>,
  limits: ReplicaLimits,
  partitionCount: number,
): Refusal | null {
  const all: (TxnOperation | (typeof operation.compares)[number])[] = [
    ...operation.compares,
    ...operation.then,
    ...operation.otherwise,
  ];
  if (all.length > limits.txnOperationsMax)
    return { code: 'TXN_TOO_LARGE', detail: `${all.length} operations, the limit is ${limits.txnOperationsMax}` };
  if (all.length === 0) return { code: 'BAD_REQUEST', detail: 'the transaction is empty' };
  let partition: PartitionId | null = null;
  for (const one of all) {
    const value = one.kind === 'set' ? one.value : one.kind === 'value' ? one.equals : null;
    const refusal =
      refusalOfKey(one.key, limits) ??
      refusalOfValue(value, limits) ??
      (one.kind === 'set' ? refusalOfLease(one.lease) : null);
    if (refusal !== null) return refusal;
    if (one.kind === 'version' && one.version !== null && !isVersion(one.version))
      return { code: 'BAD_REQUEST', detail: 'not a version' };
    const own = partitionOf(one.key, partitionCount);
    if (partition !== null && own !== partition)
      return { code: 'CROSS_PARTITION', detail: 'the keys of a transaction must be in one partition' };
    partition = own;
  }
  return null;
}

function refusalOfChange(change: ValueChange, limits: ReplicaLimits): Refusal | null {
  switch (change.type) {
    case 'multiRegister':
      return refusalOfValue(change.value, limits);
    case 'set':
      return refusalOfValue(change.element, limits);
    case 'document':
      if (!Number.isSafeInteger(change.operations) || change.operations < 0)
        return { code: 'BAD_REQUEST', detail: 'operations is a count' };
      return refusalOfValue(change.bytes, limits);
    case 'counter':
      if (change.action === 'add' && !Number.isSafeInteger(change.amount))
        return { code: 'BAD_REQUEST', detail: 'the amount is not a safe integer' };
      return null;
    default:
      return null;
  }
}

function refusalOfKey(key: string, limits: ReplicaLimits): Refusal | null {
  if (key.length === 0) return { code: 'KEY_EMPTY', detail: 'a key has at least 1 byte' };
  const bytes = key.length * 3 <= limits.keyBytesMax ? key.length : utf8Length(key);
  if (bytes > limits.keyBytesMax)
    return { code: 'KEY_TOO_LONG', detail: `the key has ${bytes} bytes, the limit is ${limits.keyBytesMax}` };
  return isWellFormed(key) ? null : { code: 'KEY_NOT_UTF8', detail: 'the key has a lone surrogate' };
}

function refusalOfValue(value: Uint8Array | null, limits: ReplicaLimits): Refusal | null {
  if (value === null || value.length <= limits.valueBytesMax) return null;
  return {
    code: 'VALUE_TOO_LARGE',
    detail: `the value has ${value.length} bytes, the limit is ${limits.valueBytesMax}`,
  };
}

function refusalOfLease(lease: string | null | undefined): Refusal | null {
  if (lease === undefined || lease === null || /^[A-Za-z0-9._-]{1,64}$/.test(lease)) return null;
  return { code: 'BAD_REQUEST', detail: 'a lease id is 1 to 64 of A-Z a-z 0-9 . _ -' };
}
