import type { Answer } from '@skerry/protocol';

/** What a message costs beside its keys and values, about. */
const overheadBytes = 64;

/** About how many bytes an answer takes in a frame; used for limits, so it need not be exact. */
export function answerBytes(answer: Answer): number {
  switch (answer.kind) {
    case 'key':
      return overheadBytes + (answer.value?.length ?? 0);
    case 'list':
      return sum(answer.entries);
    case 'txn':
      return sum(answer.results);
    case 'watch':
      return sum(answer.events);
    case 'conflicts':
      return answer.entries.reduce(
        (bytes, { key, loser, winner }) =>
          bytes + key.length + (loser?.length ?? 0) + (winner?.length ?? 0) + overheadBytes,
        overheadBytes,
      );
    default:
      return overheadBytes;
  }
}

function sum(entries: readonly { readonly key: string; readonly value: Uint8Array | null }[]): number {
  let bytes = overheadBytes;
  for (const { key, value } of entries) bytes += key.length + (value?.length ?? 0) + overheadBytes;
  return bytes;
}
