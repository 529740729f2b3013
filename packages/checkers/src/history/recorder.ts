import { assert } from '@skerry/base';
import type { KeyValueInput, KeyValueOutput } from '../models/key-value.ts';
import type { Version } from '../version.ts';
import type { History, HistoryEvent, InvokeEvent } from './events.ts';

/** Where and how a call was sent. */
export type CallOptions = Pick<InvokeEvent, 'consistent' | 'node' | 'region'>;

/**
 * Collects a history from clients that run at once. Call {@link invoke} before a request is sent and complete the
 * handle after its answer has come, never the other way round: the recorded interval must contain the true one, or
 * the checkers raise false alarms.
 */
export class HistoryRecorder {
  readonly #nowMs: () => number;
  readonly #events: HistoryEvent[] = [];
  #callNext = 0;

  constructor(options: { readonly nowMs: () => number }) {
    this.#nowMs = options.nowMs;
  }

  invoke(process: string, input: KeyValueInput, options: CallOptions = {}): OpenCall {
    const call = this.#callNext++;
    this.#events.push({ kind: 'invoke', process, call, timeMs: this.#nowMs(), input, ...options });
    return new OpenCall((completion) => {
      this.#events.push({ ...completion, process, call, timeMs: this.#nowMs() });
    });
  }

  /** What was recorded so far; calls that are still open have an unknown outcome. */
  history(): History {
    return { initial: null, events: [...this.#events] };
  }
}

/** The parts of a completion that the caller knows. */
type CompletionEvent =
  | { readonly kind: 'accepted'; readonly version?: Version | undefined }
  | { readonly kind: 'ok'; readonly output: KeyValueOutput }
  | { readonly kind: 'fail' }
  | { readonly kind: 'info' };

/** A recorded call whose answer is awaited. It is completed once, by `ok`, `fail` or `info`. */
export class OpenCall {
  readonly #record: (completion: CompletionEvent) => void;
  #state: 'open' | 'accepted' | 'completed' = 'open';

  constructor(record: (completion: CompletionEvent) => void) {
    this.#record = record;
  }

  /** A quorum-less write was acknowledged by its node; complete it when its receipt tells its end. */
  accepted(version?: Version): void {
    assert(this.#state === 'open', 'a call is accepted once, before it is completed', { state: this.#state });
    this.#state = 'accepted';
    this.#record({ kind: 'accepted', version });
  }

  ok(output: KeyValueOutput): void {
    this.#complete({ kind: 'ok', output });
  }

  /** It had no effect and never will. When in doubt, {@link info}. */
  fail(): void {
    this.#complete({ kind: 'fail' });
  }

  info(): void {
    this.#complete({ kind: 'info' });
  }

  #complete(completion: CompletionEvent): void {
    assert(this.#state !== 'completed', 'a call is completed once');
    this.#state = 'completed';
    this.#record(completion);
  }
}
