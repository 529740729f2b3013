import { isClientId, isName, type ClientId, type RegionId } from '@skerry/base';

/** The write that a ticket stands for. */
export interface Ticket {
  readonly region: RegionId;
  readonly partition: number;
  readonly client: ClientId;
  readonly sequence: number;
}

/**
 * The ticket of an undecided write: `REGION:PARTITION:CLIENT:SEQUENCE`. A client makes it by itself when a connection
 * ended before any node could; nodes make and take the same form.
 */
export function ticketText({ region, partition, client, sequence }: Ticket): string {
  return `${region}:${partition}:${client}:${sequence}`;
}

/** null for anything that {@link ticketText} does not make. */
export function parseTicket(text: string): Ticket | null {
  const match = /^([^:]+):(0|[1-9][0-9]{0,4}):([0-9a-f]{32}):([1-9][0-9]{0,15})$/.exec(text);
  if (match === null) return null;
  const [, region, partition, client, sequence] = match as unknown as [string, string, string, string, string];
  if (!isName(region) || !isClientId(client) || !Number.isSafeInteger(Number(sequence))) return null;
  return { region: region as RegionId, partition: Number(partition), client, sequence: Number(sequence) };
}
