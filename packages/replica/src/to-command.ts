import type { WriteId, WriteOperation } from './requests.ts';
import type { Command, CommandId } from './state/command.ts';
import { updateRequestOf } from './state/write-request.ts';

/** The keys that a write concerns, each once. */
export function keysOf(operation: WriteOperation): string[] {
  if (operation.kind !== 'txn') return [operation.key];
  return [...new Set([...operation.compares, ...operation.then, ...operation.otherwise].map(({ key }) => key))];
}

/** null: it names a context that is none. */
export function toCommand(
  operation: WriteOperation,
  { client, sequence, answeredBelow }: WriteId,
): Extract<Command, { id: CommandId }> | null {
  const id = { client, sequence, answeredBelow };
  switch (operation.kind) {
    case 'set':
      return { kind: 'set', id, key: operation.key, value: operation.value, lease: operation.lease ?? null };
    case 'delete':
      return { kind: 'delete', id, key: operation.key };
    case 'update': {
      const request = updateRequestOf(operation.change);
      return request === null ? null : { kind: 'update', id, key: operation.key, request };
    }
    case 'swap':
      return {
        kind: 'swap',
        id,
        key: operation.key,
        newValue: operation.newValue,
        oldValue: operation.oldValue,
        lease: operation.lease ?? null,
      };
    case 'txn':
      return { kind: 'txn', id, compares: operation.compares, then: operation.then, otherwise: operation.otherwise };
    case 'leaseGrant':
      return { kind: 'leaseGrant', id, lease: operation.lease, ttlMs: operation.ttlMs };
    case 'leaseKeepAlive':
    case 'leaseRevoke':
      return { kind: operation.kind, id, lease: operation.lease };
  }
}
