import type { Answer, ValueView } from '@skerry/protocol';

/** What a message costs beside its keys and values, about. */
const overheadBytes = 64;

/** About how many bytes an answer takes in a frame; used for limits, so it need not be exact. */
export function answerBytes(answer: Answer): number {
  switch (answer.kind) {
    case 'key':
      return overheadBytes + (answer.value?.length ?? 0) + viewBytes(answer.view);
    case 'list':
      return sum(answer.entries);
    case 'txn':
      return sum(answer.results);
    case 'watch':
      return sum(answer.events);
    case 'conflicts':
      return answer.entries.reduce(
        (bytes, { key, loser, winner }) =>
          bytes + key.length + viewBytes(loser) + viewBytes(winner) + 2 * overheadBytes,
        overheadBytes,
      );
    case 'regions':
      return answer.regions.reduce(
        (bytes, { nodes, partitions }) => bytes + (1 + 4 * nodes.length + partitions.length) * overheadBytes,
        overheadBytes,
      );
    default:
      return overheadBytes;
  }
}

/** About how many bytes the value takes. */
export function viewBytes(view: ValueView | null | undefined): number {
  switch (view?.type) {
    case undefined:
    case 'flag':
      return 0;
    case 'register':
      return view.value.length;
    case 'counter':
      return view.total.length;
    case 'multiRegister':
      return view.context.length + total(view.values);
    case 'set':
      return total(view.elements);
    case 'document':
      return view.context.length + total(view.chunks);
  }
}

/** Five bytes are the longest head of a byte string. */
function total(values: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const { length } of values) bytes += length + 5;
  return bytes;
}

interface Entry {
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly view?: ValueView;
}

function sum(entries: readonly Entry[]): number {
  let bytes = overheadBytes;
  for (const { key, value, view } of entries)
    bytes += key.length + (value?.length ?? 0) + viewBytes(view) + overheadBytes;
  return bytes;
}
