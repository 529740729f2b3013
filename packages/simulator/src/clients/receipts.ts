import type { Caller } from './caller.ts';
import { ask } from './asking.ts';
import type { Entry, Receipted } from './journal.ts';

type Settled = NonNullable<Receipted['receipt']>;

/** Follows the receipt of an accepted write until it is settled, which is when the write ends for the consistent view. */
export function awaitEntry(client: Caller, entry: Entry, receipt: string): void {
  const { journal, world } = client.load;
  awaitReceipt(client, { of: entry, receipt }, ({ state, version }) => {
    if (state === 'superseded' || state === 'rejected') journal.fail(entry);
    if (state !== 'promoted' && state !== 'merged') return;
    if (version !== null && entry.accepted?.version != null && version < entry.accepted.version)
      world.sometimes.saw('clamped');
    journal.ok(entry, { outcome: 'applied', version: version ?? undefined });
  });
}

/** Calls `onSettled` when the write is no longer `accepted`, unless it is forsaken. */
export function awaitReceipt(
  client: Caller,
  { of: entry, receipt }: { of: Receipted; receipt: string },
  onSettled: (settled: Settled) => void,
): void {
  const { load } = client;
  const { world } = load;
  load.counts.open++;
  ask({
    world,
    random: client.random,
    pickNode: client.pickNode,
    request: { operation: { kind: 'receipt', receipt, wait: true }, timeoutMs: client.drawTimeoutMs() },
    isMoot: () => {
      if (entry.forsaken) load.counts.open--;
      return entry.forsaken;
    },
    onAnswer: (answer, _, seen) => {
      if (answer.kind !== 'receipt') {
        load.onAnomaly('answer', `a receipt was answered ${JSON.stringify(answer)}`);
        load.counts.open--;
        return true;
      }
      if (answer.state === 'accepted' || answer.timeout) return false;
      load.counts.open--;
      // The dot needs to be asked for no more: what it came to stands in the logs that this node has applied.
      if (seen !== null) client.saw(seen);
      entry.receipt = { state: answer.state, version: answer.version };
      switch (answer.state) {
        case 'promoted':
        case 'merged':
          world.sometimes.saw('promoted');
          break;
        case 'superseded':
        case 'rejected':
          world.sometimes.saw(answer.state);
          break;
        case 'unknown':
          load.onAnomaly('receipt', `${receipt} is settled and unknown`);
          break;
      }
      onSettled(entry.receipt);
      return true;
    },
  });
}
