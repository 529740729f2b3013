import {
  frameBytesMaxDefault,
  partitionOf,
  type ControlOperation,
  type Operation,
  type ValueChange,
} from '@skerry/protocol';
import { txnBytes, txnPartition } from './txn.ts';

/** What the dispatcher needs to know of an operation. */
export interface Traits {
  /** The partition whose state the answer shows; null: of all of them, or of none. */
  readonly partition: number | null;
  readonly write: boolean;
  /** Its write id can be resolved. That of a quorum-less write cannot: a fence could forbid what its receipt promises. */
  readonly resolvable: boolean;
  readonly repeatable: boolean;
  /** May rightly take for ever: says nothing about the node's health. */
  readonly patient: boolean;
  /** The answer shows values: it must not be older than what the session has seen (I13). */
  readonly shows: boolean;
  /** About, on the wire. */
  readonly bytes: number;
}

export function traitsOf(operation: Operation | ControlOperation, partitionCount: number): Traits {
  switch (operation.kind) {
    case 'get':
    case 'read':
      return readTraits(partitionOf(operation.key, partitionCount));
    case 'list':
      return { ...other, shows: true };
    case 'conflicts':
    case 'status':
    case 'regions':
      return other;
    case 'receipt':
      return { ...other, patient: operation.wait };
    case 'resolve':
    case 'watch':
      return { ...other, patient: true };
    case 'transferLeadership':
    case 'changeMembers':
    case 'addRegion':
    case 'evictRegion':
      return { ...other, repeatable: false, patient: true };
    case 'txn': {
      const operations = [...operation.then, ...operation.otherwise];
      const partition = txnPartition(operation.compares, operations, partitionCount);
      return { ...other, partition, write: true, resolvable: true, bytes: txnBytes(operation.compares, operations) };
    }
    case 'set':
    case 'swap':
    case 'delete':
    case 'update':
    case 'leaseGrant':
    case 'leaseKeepAlive':
    case 'leaseRevoke': {
      const bytes = Math.min(192 + 3 * operation.key.length, frameBytesMaxDefault) + valueBytes(operation);
      return writeTraits(partitionOf(operation.key, partitionCount), !isQuorumless(operation), bytes);
    }
  }
}

const other = {
  partition: null,
  write: false,
  resolvable: false,
  repeatable: true,
  patient: false,
  shows: false,
  bytes: 256,
};

// The calls that are made most, without a spread.
function readTraits(partition: number): Traits {
  return { partition, write: false, resolvable: false, repeatable: true, patient: false, shows: true, bytes: 256 };
}

function writeTraits(partition: number, resolvable: boolean, bytes: number): Traits {
  return { partition, write: true, resolvable, repeatable: true, patient: false, shows: false, bytes };
}

/** A write that is acknowledged without a quorum, and promoted later. */
export function isQuorumless(operation: Operation | ControlOperation): boolean {
  return (
    (operation.kind === 'set' || operation.kind === 'delete' || operation.kind === 'update') && !operation.consistent
  );
}

function valueBytes(operation: Operation): number {
  switch (operation.kind) {
    case 'set':
      return operation.value.length;
    case 'swap':
      return (operation.newValue?.length ?? 0) + (operation.oldValue?.length ?? 0);
    case 'update':
      return changeBytes(operation.change);
    default:
      return 0;
  }
}

function changeBytes(change: ValueChange): number {
  switch (change.type) {
    case 'multiRegister':
      return change.value.length + (change.context?.length ?? 0);
    case 'set':
      return change.element.length;
    case 'document':
      return change.bytes.length + (change.action === 'compact' ? change.context.length : 0);
    default:
      return 0;
  }
}
