import { clientId, isClientId, type PartitionId, type RegionId } from '@skerry/base';
import { dotFromText, dotToText, stampToText, type Dot, type Stamp } from '@skerry/crdt';
import type { CommandId } from './state/command.ts';

/*
 * Receipts and tickets are opaque to clients: `REGION:PARTITION:DOT` and `REGION:PARTITION:CLIENT:SEQUENCE`.
 */

export function formatReceipt(region: RegionId, partition: PartitionId, dot: Dot): string {
  return `${region}:${partition}:${dotToText(dot)}`;
}

/** null: not a receipt of this region. */
export function parseReceipt(
  text: string,
  region: RegionId,
  partitionCount: number,
): { partition: number; dot: Dot; dotText: string } | null {
  const [name, number, dotText, ...rest] = text.split(':');
  const partition = parsePartition(number, partitionCount);
  const dot = dotFromText(dotText ?? '');
  if (name !== region || partition === null || dot === null || rest.length > 0) return null;
  return { partition, dot, dotText: dotToText(dot) };
}

export function formatTicket(
  region: RegionId,
  partition: PartitionId,
  id: { readonly client: string; readonly sequence: number },
): string {
  return `${region}:${partition}:${id.client}:${id.sequence}`;
}

/** null: not a ticket of this region. */
export function parseTicket(
  text: string,
  region: RegionId,
  partitionCount: number,
): { partition: number; id: CommandId } | null {
  const [name, number, client, sequenceText, ...rest] = text.split(':');
  const partition = parsePartition(number, partitionCount);
  const sequence = Number(sequenceText);
  if (name !== region || partition === null || client === undefined || !isClientId(client) || rest.length > 0)
    return null;
  if (!/^[1-9][0-9]*$/.test(sequenceText ?? '') || !Number.isSafeInteger(sequence)) return null;
  return { partition, id: { client: clientId(client), sequence, answeredBelow: 0 } };
}

function parsePartition(text: string | undefined, partitionCount: number): number | null {
  if (text === undefined || !/^(0|[1-9][0-9]{0,4})$/.test(text) || Number(text) >= partitionCount) return null;
  return Number(text);
}

/** The version that users see for a stamp. */
export function versionOf(stamp: Stamp | null): string | null {
  return stamp === null ? null : stampToText(stamp);
}
