import { isClientId, type ClientId } from '@skerry/base';

/** The write that a ticket stands for. */
export interface Ticket {
  readonly partition: number;
  readonly client: ClientId;
  readonly sequence: number;
}

/**
 * The ticket of an undecided write: `<partition>.<client>.<sequence>`. A client makes it by itself when a connection
 * ended before any node could; nodes make and take the same form.
 */
export function ticketText({ partition, client, sequence }: Ticket): string {
  return `${partition}.${client}.${sequence}`;
}

/** null for anything that {@link ticketText} does not make. */
export function parseTicket(text: string): Ticket | null {
  const match = /^(0|[1-9][0-9]{0,4})\.([0-9a-f]{32})\.([1-9][0-9]{0,15})$/.exec(text);
  if (match === null) return null;
  const [, partition, client, sequence] = match as unknown as [string, string, string, string];
  if (!isClientId(client) || !Number.isSafeInteger(Number(sequence))) return null;
  return { partition: Number(partition), client, sequence: Number(sequence) };
}
