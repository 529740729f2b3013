import { NumberTable } from '@skerry/base';
import type { CallEntry, StreamEntry } from './pending.ts';

/** The requests on the current link, by number. */
export class OpenRequests {
  readonly #byId = new NumberTable<CallEntry | StreamEntry>();
  #lastId = 0;
  #urgent = 0;

  /** Some wait for an answer that a healthy node gives soon. */
  get isAwaiting(): boolean {
    return this.#urgent > 0;
  }

  find(requestId: number): CallEntry | StreamEntry | undefined {
    return this.#byId.get(requestId);
  }

  add(entry: CallEntry | StreamEntry): number {
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while (this.#byId.has(this.#lastId));
    entry.requestId = this.#lastId;
    this.#byId.set(this.#lastId, entry);
    if (isUrgent(entry)) this.#urgent++;
    return this.#lastId;
  }

  remove(entry: CallEntry | StreamEntry): void {
    if (entry.requestId === null || !this.#byId.delete(entry.requestId)) return;
    entry.requestId = null;
    if (isUrgent(entry)) this.#urgent--;
  }

  /** The link is gone, and all of them with it. In the order in which they were sent. */
  takeAll(): readonly (CallEntry | StreamEntry)[] {
    const age = (id: number): number => (this.#lastId - id) >>> 0;
    const lost = this.#byId.entries().sort(([a], [b]) => age(b) - age(a));
    return lost.map(([, entry]) => {
      this.remove(entry);
      return entry;
    });
  }
}

function isUrgent(entry: CallEntry | StreamEntry): boolean {
  return 'call' in entry && !entry.request.patient;
}
