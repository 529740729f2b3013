import type { RegionId } from '@skerry/base';
import type { Answer, Causality, ControlOperation, Operation, RequestMessage } from '@skerry/protocol';
import type { Call, Settlement } from './call.ts';
import type { Linked, LinkedList } from './linked-list.ts';
import type { SkerryError } from './errors.ts';
import type { Session } from './session.ts';
import type { Traits } from './traits.ts';

export interface CallRequest extends Traits {
  readonly operation: Operation | ControlOperation;
  /** The region that alone can answer: of a ticket, a receipt, a lease. null: any. */
  readonly region: RegionId | null;
  readonly timeoutMs: number | null;
  /** How long a read waits for what the session has seen elsewhere; null: as long as seems worth it. */
  readonly catchUpMs: number | null;
  readonly signal?: AbortSignal | undefined;
}

export interface CallResult {
  readonly settlement: Exclude<Settlement, { readonly kind: 'failed' }>;
  /** Present on an undecided write that is resolvable. */
  readonly ticket: string | null;
  /** Whose answer it is; null where no region answered. */
  readonly region: RegionId | null;
  /** The answer may be older than what the session has seen elsewhere. */
  readonly behind: boolean;
}

/** A request that is open for long and has many answers: it is put on the wire anew on every link. */
export interface Stream {
  /** As it is to be asked of a node of `region`. */
  readonly operation: (region: RegionId) => ControlOperation;
  /** The partition that the answers show; null: all. */
  readonly partition: number | null;
  readonly onAnswer: (answer: Answer) => void;
  readonly onClosed: (error: SkerryError) => void;
}

interface Attempt {
  readonly timeoutMs: number | null;
  readonly retry: boolean;
  readonly after: Causality | null;
}

/** A call that waits for its end, in whatever region. */
export class CallEntry implements Linked<CallEntry> {
  readonly request: CallRequest;
  readonly call: Call;
  readonly #settle: (settlement: Settlement, answered: Omit<CallResult, 'settlement'>) => void;
  #unwatchSignal: (() => void) | null = null;
  list: LinkedList<CallEntry> | null = null;
  previous: CallEntry | null = null;
  next: CallEntry | null = null;
  /** Who carries it out now. */
  owner: { readonly stop: (entry: CallEntry, code: 'ABORTED' | 'CLOSED') => void } | null = null;
  id: { readonly session: Session; readonly sequence: number } | null = null;
  requestId: number | null = null;
  sentMs = 0;
  wakeMs: number = Number.POSITIVE_INFINITY;
  /** Not sent before this, or the next welcome: its renewed session was refused. */
  heldUntilMs = 0;
  readonly reading: Reading = { missing: null, asked: false, cut: false, waited: false };

  constructor(
    request: CallRequest,
    call: Call,
    settle: (settlement: Settlement, answered: Omit<CallResult, 'settlement'>) => void,
  ) {
    this.request = request;
    this.call = call;
    this.#settle = settle;
  }

  /** From now on, until it is settled, the caller's signal stops it. */
  watchSignal(): void {
    const { signal } = this.request;
    if (signal === undefined) return;
    const onAbort = (): void => {
      this.owner?.stop(this, 'ABORTED');
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#unwatchSignal = () => {
      signal.removeEventListener('abort', onAbort);
    };
  }

  /** An attempt, as it goes on the wire. */
  message(requestId: number, { timeoutMs, retry, after }: Attempt): RequestMessage {
    const { operation, partition } = this.request;
    if (this.id !== null) {
      const id = this.id.session.writeId(partition ?? 0, this.id.sequence, retry);
      return { kind: 'request', requestId, operation, id, timeoutMs };
    }
    if (after === null) return { kind: 'request', requestId, operation, timeoutMs };
    return { kind: 'request', requestId, operation, timeoutMs, after };
  }

  settle(settlement: Settlement, answered: Omit<CallResult, 'settlement'>): void {
    this.#unwatchSignal?.();
    this.#settle(settlement, answered);
  }
}

/** What a read asks of a node that may be behind the session. */
export interface Reading {
  /** What the node was not known to have when the read was sent; null: nothing. */
  missing: Causality | null;
  /** The node was asked to wait for it. */
  asked: boolean;
  /** It was asked to wait for less long than the call has. */
  cut: boolean;
  /** It was waited for once, in vain. */
  waited: boolean;
}

export interface StreamEntry {
  readonly stream: Stream;
  requestId: number | null;
}
