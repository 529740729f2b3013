import { compareVersions, type History, type HistoryEvent, type Version } from '@skerry/checkers';

interface Ended {
  readonly state: string;
  /** Of the value that stands at the key because of the write, or instead of it. */
  readonly version: Version | null;
}

/**
 * The versions that quorum-less writes ended with. A write by a clock that was fast is acknowledged with a stamp ahead of
 * time, and promoted with one that is not: whoever compares versions must take the final one wherever the value was seen.
 */
export class FinalVersions {
  /** By key and value, which is written once: null where only an upper bound is known. */
  readonly #changed = new Map<string, Version | null>();

  get count(): number {
    return this.#changed.size;
  }

  note(write: { readonly key: string; readonly value: string; readonly accepted: Version }, end: Ended): void {
    if (end.version === null || compareVersions(end.version, write.accepted) >= 0) return;
    // One that lost did so against a version below the one it was accepted with: its own is lower still.
    this.#changed.set(nameOf(write.key, write.value), end.state === 'promoted' ? end.version : null);
  }

  in(history: History): History {
    if (this.#changed.size === 0) return history;
    const written = new Map<number, { readonly key: string; readonly value: string | null }>();
    const events = history.events.map((event): HistoryEvent => {
      if (event.kind === 'invoke') {
        const { input } = event;
        written.set(event.call, { key: input.key, value: input.op === 'set' ? input.value : null });
        return event;
      }
      const { key, value } = written.get(event.call) ?? { key: '', value: null };
      if (event.kind === 'accepted') return { ...event, version: this.#of(key, value, event.version) };
      if (event.kind !== 'ok') return event;
      const { output } = event;
      const seen = output.outcome === 'read' ? output.value : output.outcome === 'refused' ? output.current : value;
      return { ...event, output: { ...output, version: this.#of(key, seen ?? null, output.version) } };
    });
    return { ...history, events };
  }

  #of(key: string, value: string | null, known: Version | undefined): Version | undefined {
    if (value === null) return known;
    const changed = this.#changed.get(nameOf(key, value));
    return changed === undefined ? known : (changed ?? undefined);
  }
}

function nameOf(key: string, value: string): string {
  return `${key}\n${value}`;
}
