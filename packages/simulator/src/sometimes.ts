/** What a batch of runs must have seen now and then: a run that never gets there proves nothing about it. */
export const sometimesNames = [
  'answer lost',
  'leader changed',
  'snapshot installed',
  'leader changed during snapshot',
  'log compacted',
  'fence won',
  'request won against fence',
  'undecided',
  'resolved',
  'promoted',
  'superseded',
  'rejected',
  'two copies of a retried write',
  'clamped',
  'promotion racing a consistent write',
  'storage full',
  'overloaded',
  'pending full',
  'disk hung',
  'member replaced',
  'member removed',
  'member added',
  'leadership transferred',
  'message lost',
  'message repeated',
  'message late',
  'one-way cut',
  'nodes cut off',
  'nodes cut off, with a bridge',
  'process paused',
  'clock jumped',
  'clock drifted',
  'clock frozen',
  'write torn',
  'write failed',
  'sync failed',
  'read failed',
  'crash in a turn',
  'all crashed',
  'power cut',
  'lease expired',
  'conflict recorded',
  'read merged',
  'joint configuration',
  'w copies',
  'not applied without a log',
  'client moved to another region',
  'read behind',
  'frame of a link lost',
  'frame of a link repeated',
  'frame of a link late',
  'link replayed',
  'replayed entries dropped',
  'link stalled',
  'link cut',
  'region cut off',
  'region crashed',
  'region evicted',
  'region evicted while another one was',
  'region re-seeded',
  'log of the link replayed',
  'log of the link purged',
  'log of the link lied',
  'state exchanged',
  'tombstone collected',
] as const;
export type SometimesName = (typeof sometimesNames)[number];

export class Sometimes {
  readonly #counts: Map<SometimesName, number> = new Map();

  saw(name: SometimesName): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(sometimesNames.map((name) => [name, this.#counts.get(name) ?? 0]));
  }
}
