import { isName, replicaId, type RegionId, type ReplicaId } from '@skerry/base';

/** The quorum-less write that a receipt stands for. */
export interface ReceiptName {
  readonly region: RegionId;
  readonly partition: number;
  /** Names the write for ever. */
  readonly dot: { readonly replica: ReplicaId; readonly sequence: number };
}

/** Reads `REGION:PARTITION:REPLICA-SEQUENCE` (replica in 12 hex digits), as nodes make it; null for anything else. */
export function parseReceipt(text: string): ReceiptName | null {
  const match = /^([^:]+):(0|[1-9][0-9]{0,4}):([0-9a-f]{12})-([1-9][0-9]{0,15})$/.exec(text);
  if (match === null) return null;
  const [, region, partition, replica, digits] = match as unknown as [string, string, string, string, string];
  const sequence = Number(digits);
  if (!isName(region) || !Number.isSafeInteger(sequence)) return null;
  return {
    region: region as RegionId,
    partition: Number(partition),
    dot: { replica: replicaId(Number.parseInt(replica, 16)), sequence },
  };
}
