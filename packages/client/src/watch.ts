import { isName, type RegionId } from '@skerry/base';
import {
  errorEntry,
  partitionOf,
  type Answer,
  type ControlOperation,
  type ValueView,
  type WatchEvent,
} from '@skerry/protocol';
import { backOffMs } from './call.ts';
import { SkerryError } from './errors.ts';
import type { Host } from './host.ts';
import type { Stream } from './pending.ts';
import type { Regions } from './regions.ts';
import type { WatchBatch, WatchOptions } from './types.ts';

/** Batches that wait for the reader; at this many the watch pauses by closing its stream, to go on from its cursor. */
const batchesWaitingMax = 256;
/** Bytes of them unless said otherwise; about, and with the same effect, but see {@link WatchOptions.bufferBytesMax}. */
const bufferBytesMaxDefault = 64 * 1_024 * 1_024;
/** What an event takes beside its key and value, about. */
const eventOverheadBytes = 64;

/**
 * Changes of a key or a prefix. It goes on by itself on another node after the last cursor, so no event is lost or
 * repeated; where the node has to start over, as in another region, it says so with `reset`. The iteration rejects only for what does not pass,
 * and with SLOW_CONSUMER when more of the current state waits for its reader than `bufferBytesMax`.
 */
export async function* watchBatches<E>(
  { regions, host }: { regions: Regions; host: Host },
  key: string,
  options: Omit<WatchOptions, 'as'>,
  shown: (event: WatchEvent) => E,
): AsyncGenerator<Omit<WatchBatch, 'events'> & { readonly events: readonly E[] }, void, undefined> {
  const source = new WatchSource({ regions, host }, key, options);
  const onAbort = (): void => {
    source.fail(new SkerryError({ code: 'ABORTED', definite: true }));
  };
  if (options.signal?.aborted === true) onAbort();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      const batch = await source.next();
      yield {
        events: batch.events.map(shown),
        cursor: batch.cursor,
        ...(batch.reset === undefined ? {} : { reset: batch.reset }),
        ...(batch.resetBegins ? { resetBegins: true as const } : {}),
      };
    }
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
    source.stop();
  }
}

type RawBatch = Extract<Answer, { readonly kind: 'watch' }> & { readonly resetBegins: boolean };

class WatchSource {
  readonly #regions: Regions;
  readonly #host: Host;
  readonly #key: string;
  readonly #prefix: boolean;
  /** Cursor of the last batch taken in; what comes next follows it. */
  #cursor: string | null;
  #waiting: RawBatch[] = [];
  /** About, of `#waiting`. */
  #waitingBytes = 0;
  readonly #bufferBytesMax: number;
  #failure: SkerryError | null = null;
  #wake: (() => void) | null = null;
  #close: (() => void) | null = null;
  #cancelRetry: (() => void) | null = null;
  #failures = 0;
  /** The current state is being sent, in answer to the request that is open now. */
  #resetting = false;
  readonly #stream: Stream;

  constructor(
    { regions, host }: { regions: Regions; host: Host },
    key: string,
    { prefix = false, cursor, bufferBytesMax = bufferBytesMaxDefault }: WatchOptions,
  ) {
    this.#regions = regions;
    this.#host = host;
    this.#key = key;
    this.#prefix = prefix;
    this.#cursor = cursor ?? null;
    this.#bufferBytesMax = bufferBytesMax;
    this.#stream = {
      partition: prefix ? null : partitionOf(key, regions.welcome?.partitionCount ?? 1),
      operation: (region): ControlOperation => {
        // A state that was cut off is sent again from its beginning.
        this.#resetting = false;
        // Another region counts its entries by itself: what it has is told from the beginning.
        if (this.#cursor !== null && isOfOther(this.#cursor, region)) this.#cursor = '';
        return { kind: 'watch', key: this.#key, prefix: this.#prefix, cursor: this.#cursor };
      },
      onAnswer: (answer) => {
        this.#take(answer);
      },
      onClosed: (error) => {
        this.fail(error);
      },
    };
    this.#close = regions.open(this.#stream);
  }

  async next(): Promise<RawBatch> {
    for (;;) {
      const batch = this.#waiting.shift();
      if (batch !== undefined) {
        this.#waitingBytes -= batchBytes(batch);
        return batch;
      }
      if (this.#failure !== null) throw this.#failure;
      this.#close ??= this.#regions.open(this.#stream);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  fail(error: SkerryError): void {
    this.#failure ??= error;
    this.stop();
    this.#wake?.();
  }

  stop(): void {
    this.#cancelRetry?.();
    this.#close?.();
    this.#close = null;
  }

  #take(answer: Answer): void {
    if (answer.kind === 'error') {
      this.#retryAfter(answer);
      return;
    }
    if (answer.kind !== 'watch') return;
    this.#failures = 0;
    this.#cursor = answer.cursor;
    // An empty batch only moves the cursor; but before the first event it is the only one a reader could resume from.
    this.#waiting.push({ ...answer, resetBegins: answer.reset !== undefined && !this.#resetting });
    this.#waitingBytes += batchBytes(answer);
    this.#resetting = answer.reset === 'more';
    this.#limit();
    this.#wake?.();
  }

  #limit(): void {
    const isFull = this.#waitingBytes > this.#bufferBytesMax;
    if (this.#resetting) {
      // A state has no cursor within it: pausing here would begin it anew each time, and never come to its end.
      if (isFull)
        this.fail(
          new SkerryError({
            code: 'SLOW_CONSUMER',
            detail: `more than ${this.#bufferBytesMax} bytes of the current state wait to be read`,
          }),
        );
    } else if (isFull || this.#waiting.length >= batchesWaitingMax) {
      this.#close?.();
      this.#close = null;
    }
  }

  #retryAfter({ code, detail }: Extract<Answer, { readonly kind: 'error' }>): void {
    if (errorEntry(code).retry === 'no') {
      this.fail(new SkerryError({ code, detail }));
      return;
    }
    this.#cancelRetry = this.#host.setTimer(backOffMs(this.#failures++, this.#host.random), () => {
      this.#regions.reopen(this.#stream);
    });
  }
}

/** Cursors begin with the name of their region: `REGION:…`. */
function isOfOther(cursor: string, region: RegionId): boolean {
  const [name = ''] = cursor.split(':', 1);
  return cursor.includes(':') && isName(name) && name !== region;
}

function batchBytes({ events }: Extract<Answer, { readonly kind: 'watch' }>): number {
  let bytes = 0;
  for (const { key, value, view } of events)
    bytes += key.length + (value?.length ?? 0) + (view === undefined ? 0 : viewBytes(view)) + eventOverheadBytes;
  return bytes;
}

function viewBytes(view: ValueView): number {
  const sum = (parts: readonly Uint8Array[]): number =>
    parts.reduce((total, part) => total + part.length + eventOverheadBytes, 0);
  switch (view.type) {
    case 'register':
      return view.value.length;
    case 'multiRegister':
      return sum(view.values) + view.context.length;
    case 'set':
      return sum(view.elements);
    case 'document':
      return sum(view.chunks) + view.context.length;
    default:
      return 0;
  }
}
