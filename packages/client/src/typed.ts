import type { ValueChange, ValueType, ValueView } from '@skerry/protocol';
import { SkerryError } from './errors.ts';
import type { Host } from './host.ts';
import type {
  Followed,
  FollowOptions,
  Form,
  ReadOptions,
  UpdateOptions,
  ValueOf,
  WatchBatch,
  WatchOptions,
} from './types.ts';
import { fromBytes, type KeyResult } from './values.ts';

/** What the values of one type are made of: calls of the client, by type. */
export interface TypedCalls {
  readonly host: Host;
  readonly read: (key: string, type: ValueType, options: ReadOptions) => Promise<KeyResult>;
  readonly update: (key: string, change: ValueChange, options: UpdateOptions) => Promise<KeyResult>;
  readonly watch: (key: string, options: RawWatchOptions) => AsyncGenerator<RawBatch, void, undefined>;
}

export type RawWatchOptions = Pick<WatchOptions, 'cursor' | 'signal'>;
/** A batch whose values and views are as they came. */
export type RawBatch = Omit<WatchBatch, 'events'> & { readonly events: readonly RawChange[] };

interface RawChange {
  readonly value: Uint8Array | null;
  readonly view?: ValueView;
  readonly version: string;
}

export type ViewOf<T extends ValueType> = Extract<ValueView, { readonly type: T }>;

/** The view of an answer; null: no such key. A node that answers with another type breaks the protocol. */
export function viewOf<T extends ValueType>({ view }: KeyResult, type: T): ViewOf<T> | null {
  if (view === undefined) return null;
  if (view.type !== type)
    throw new SkerryError({
      code: 'MALFORMED_FRAME',
      detail: `the node answered a ${view.type} where a ${type} was due`,
    });
  return view as ViewOf<T>;
}

export function textOrBytes<F extends Form>(form: F): (bytes: Uint8Array) => ValueOf<F> {
  return (bytes) => fromBytes(bytes, form) as ValueOf<F>;
}

/** The values of a key, the present one first; rejects with WRONG_TYPE when the key gets another type. */
export async function* follow<T extends ValueType, V>(
  { calls, key, type }: { readonly calls: TypedCalls; readonly key: string; readonly type: T },
  { cursor = '', signal }: FollowOptions,
  valueOf: (view: ViewOf<T>) => V | Promise<V>,
): AsyncGenerator<Followed<V>, void, undefined> {
  /** In the state that is being sent, the key has not come yet. */
  let missing = false;
  for await (const batch of calls.watch(key, { cursor, ...(signal === undefined ? {} : { signal }) })) {
    if (batch.resetBegins === true) missing = true;
    for (const { value, view, version } of batch.events) {
      missing = false;
      if (value !== null || (view !== undefined && view.type !== type))
        throw new SkerryError({ code: 'WRONG_TYPE', detail: `${key} is a ${view?.type ?? 'register'} now` });
      yield { value: view === undefined ? null : await valueOf(view as ViewOf<T>), version, cursor: batch.cursor };
    }
    if (batch.reset === 'last' && missing) yield { value: null, version: null, cursor: batch.cursor };
    if (batch.reset !== 'more') missing = false;
  }
}
