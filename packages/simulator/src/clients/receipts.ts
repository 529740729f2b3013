import type { Caller } from './caller.ts';
import { ask } from './asking.ts';
import type { Entry } from './journal.ts';

/** Follows the receipt of an accepted write until it is settled, which is when the write ends for the consistent view. */
export function awaitReceipt(client: Caller, entry: Entry, receipt: string): void {
  const { load } = client;
  const { world, journal } = load;
  load.open++;
  ask({
    world, random: client.random, pickNode: client.pickNode,
    request: { operation: { kind: 'receipt', receipt, wait: true }, timeoutMs: client.drawTimeoutMs() },
    isMoot: () => {
      if (entry.forsaken) load.open--;
      return entry.forsaken;
    },
    onAnswer: (answer) => {
      if (answer.kind !== 'receipt') {
        load.onAnomaly('answer', `a receipt was answered ${JSON.stringify(answer)}`);
        load.open--;
        return true;
      }
      if (answer.state === 'accepted' || answer.timeout) return false;
      load.open--;
      entry.receipt = { state: answer.state, version: answer.version };
      switch (answer.state) {
        case 'promoted':
        case 'merged':
          world.sometimes.saw('promoted');
          if (answer.version !== null && entry.accepted?.version != null && answer.version < entry.accepted.version) world.sometimes.saw('clamped');
          journal.ok(entry, { outcome: 'applied', version: answer.version ?? undefined });
          break;
        case 'superseded':
        case 'rejected':
          world.sometimes.saw(answer.state);
          journal.fail(entry);
          break;
        case 'unknown':
          load.onAnomaly('receipt', `${receipt} is settled and unknown`);
          break;
      }
      return true;
    },
  });
}
