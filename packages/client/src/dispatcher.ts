import { unreachable, type ClientId } from '@skerry/base';
import { ticketText, type Answer, type ControlOperation, type ErrorCode, type MembersMessage, type Operation, type ServerMessage, type Ticket, type WelcomeMessage } from '@skerry/protocol';
import { Call, type CallAction, type CallOptions, type Greeting, type Settlement } from './call.ts';
import { Connector, type ConnectorOptions } from './connector.ts';
import { SkerryError } from './errors.ts';
import type { Host } from './host.ts';
import type { Link, LinkEnd } from './link.ts';
import { newClientId, Session } from './session.ts';

export interface DispatcherOptions extends ConnectorOptions {
  readonly endpoints: readonly string[];
  readonly graceMs: number;
  readonly readGraceMs: number;
  readonly inFlightMax: number;
  readonly inFlightBytesMax: number;
  /** A blocking consistent call that is unanswered for this long looks for another node. */
  readonly stallMs: number;
}

export interface CallRequest {
  readonly operation: Operation | ControlOperation;
  /** The partition of a write; ignored otherwise. */
  readonly partition: number;
  readonly write: boolean;
  /** Its write id can be resolved. That of a quorum-less write cannot: a fence could forbid what its receipt promises. */
  readonly resolvable: boolean;
  readonly repeatable: boolean;
  readonly timeoutMs: number | null;
  readonly signal?: AbortSignal | undefined;
  /** May rightly take for ever: says nothing about the node's health. */
  readonly patient: boolean;
  readonly bytes: number;
}

export interface CallResult {
  readonly settlement: Exclude<Settlement, { readonly kind: 'failed' }>;
  /** Present on an undecided write that is resolvable. */
  readonly ticket: string | null;
}

/** A request that is open for long and has many answers: it is put on the wire anew on every link. */
export interface Stream {
  readonly operation: () => ControlOperation;
  readonly onAnswer: (answer: Answer) => void;
  readonly onClosed: (error: SkerryError) => void;
}

interface CallEntry {
  readonly request: CallRequest;
  readonly call: Call;
  readonly settle: (settlement: Settlement, ticket: string | null) => void;
  id: { readonly session: Session; readonly sequence: number } | null;
  requestId: number | null;
  sentMs: number;
  wakeMs: number;
  /** Not sent before this, or the next welcome: its renewed session was refused. */
  heldUntilMs: number;
}

interface StreamEntry {
  readonly stream: Stream;
  requestId: number | null;
}

const sweepMs = 5;
const moveAfterMsMax = 30_000;

/** Carries out what the {@link Call}s say, over whatever link the {@link Connector} has. */
export class Dispatcher {
  readonly #host: Host;
  readonly #options: DispatcherOptions;
  readonly #connector: Connector;
  readonly #calls = new Set<CallEntry>();
  readonly #streams = new Set<StreamEntry>();
  /** Requests on the current link. */
  readonly #open = new Map<number, CallEntry | StreamEntry>();
  #lastRequestId = 0;
  #bytes = 0;
  /** Open requests that a healthy node answers soon. */
  #urgent = 0;
  #session: Session | null = null;
  /** A session that was made of the last welcome was refused: the next welcome begins another. */
  #sessionDoubtful = false;
  #timer: { readonly dueMs: number; readonly cancel: () => void } | null = null;
  /** Not moved to another node again before this; doubles while it does not help. */
  #moveDueMs = 0;
  #moveAfterMs: number;
  #closed = false;
  welcome: WelcomeMessage | null = null;
  readonly onWelcome: Set<(welcome: WelcomeMessage) => void> = new Set();
  readonly onFailure: Set<(end: LinkEnd, url: string) => void> = new Set();
  readonly onMembers: Set<(members: MembersMessage) => void> = new Set();

  constructor(host: Host, options: DispatcherOptions) {
    this.#host = host;
    this.#options = options;
    this.#moveAfterMs = options.stallMs;
    this.#connector = new Connector(options.endpoints, {
      host,
      options,
      listener: {
        onUp: (link, welcome) => { this.#up(link, welcome); },
        onMessages: (_, messages) => { this.#receive(messages); },
        onDown: () => { this.#down(); },
        onFailure: (end, url) => {
          for (const listener of this.onFailure) listener(end, url);
          this.#wakeAt(0);
        },
      },
    });
  }

  start(): void {
    this.#sweep();
  }

  get endpoint(): string | null {
    return this.#connector.current?.url ?? null;
  }

  /** Goes over to another node, if there is one. */
  moveOn(): void {
    this.#connector.moveOn();
    this.#wakeAt(0);
  }

  call(request: CallRequest): Promise<CallResult> {
    return new Promise((resolve, reject) => {
      const { signal } = request;
      if (this.#closed || signal?.aborted === true) {
        reject(new SkerryError({ code: this.#closed ? 'CLOSED' : 'ABORTED', definite: true }));
        return;
      }
      if (this.#calls.size >= this.#options.inFlightMax || this.#bytes + request.bytes > this.#options.inFlightBytesMax) {
        reject(new SkerryError({ code: 'OVERLOADED', detail: `this client has ${this.#calls.size} open calls with ${this.#bytes} bytes` }));
        return;
      }
      const nowMs = this.#host.nowMs();
      const onAbort = (): void => { this.#apply(entry, entry.call.stop('ABORTED')); };
      const entry: CallEntry = {
        request,
        call: new Call(this.#callOptions(request), nowMs),
        settle: (settlement, ticket) => {
          signal?.removeEventListener('abort', onAbort);
          if (settlement.kind !== 'failed') resolve({ settlement, ticket });
          else reject(new SkerryError({ ...settlement, ...(ticket === null ? {} : { ticket }) }));
        },
        id: null, requestId: null, sentMs: 0, wakeMs: Number.POSITIVE_INFINITY, heldUntilMs: 0,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#calls.add(entry);
      this.#bytes += request.bytes;
      this.#advance(entry, nowMs);
    });
  }

  /** Returns what ends it. */
  open(stream: Stream): () => void {
    const entry: StreamEntry = { stream, requestId: null };
    if (this.#closed) {
      stream.onClosed(new SkerryError({ code: 'CLOSED', definite: true }));
      return () => {};
    }
    this.#streams.add(entry);
    this.#sendStream(entry);
    return () => { this.#endStream(entry); };
  }

  close(): void {
    if (this.#closed) return;
    for (const entry of this.#calls) this.#apply(entry, entry.call.stop('CLOSED'));
    for (const { stream } of this.#streams) stream.onClosed(new SkerryError({ code: 'CLOSED', definite: true }));
    this.#streams.clear();
    this.#closed = true;
    this.#timer?.cancel();
    this.#connector.close();
  }

  #callOptions({ write, repeatable, timeoutMs }: CallRequest): CallOptions {
    const { graceMs, readGraceMs } = this.#options;
    return { write, repeatable, timeoutMs, graceMs: write ? graceMs : readGraceMs, random: this.#host.random };
  }

  /** Sends it if it may be sent now. */
  #advance(entry: CallEntry, nowMs: number): void {
    const link = this.#connector.current;
    if (link?.welcome == null) {
      this.#apply(entry, entry.call.tick(nowMs));
      return;
    }
    if (nowMs < entry.heldUntilMs) {
      const action = entry.call.tick(nowMs);
      this.#apply(entry, action.kind === 'wait' ? { kind: 'wait', untilMs: Math.min(action.untilMs, entry.heldUntilMs) } : action);
      return;
    }
    if (entry.id !== null && entry.id.session !== this.#session && !entry.call.mayBeApplied) this.#dropId(entry);
    const elsewhere = entry.id !== null && entry.id.session.region !== link.welcome.region;
    this.#apply(entry, elsewhere ? entry.call.regionLost(nowMs) : entry.call.ready(nowMs));
  }

  #apply(entry: CallEntry, action: CallAction): void {
    switch (action.kind) {
      case 'wait':
        entry.wakeMs = action.untilMs;
        if (entry.requestId !== null && !entry.request.patient) entry.wakeMs = Math.min(entry.wakeMs, this.#stallDueMs(entry));
        this.#wakeAt(entry.wakeMs);
        return;
      case 'send':
        this.#send(entry, action);
        return;
      case 'renew':
        this.#renew(entry, action.greeting);
        return;
      case 'settle':
        this.#settle(entry, action.settlement);
        return;
      default:
        unreachable(action);
    }
  }

  #renew(entry: CallEntry, greeting: Greeting): void {
    const nowMs = this.#host.nowMs();
    // Another call that was refused may have begun a new one already.
    if (entry.id?.session === this.#session) this.#session = null;
    this.#dropId(entry);
    if (greeting !== 'last') {
      this.#sessionDoubtful = true;
      entry.heldUntilMs = nowMs + this.#options.openTimeoutMs;
      this.#connector.greetAgain(greeting);
      this.#wakeAt(nowMs);
    }
    this.#advance(entry, nowMs);
  }

  /** When to look for another node on behalf of this call; always in the future. */
  #stallDueMs({ sentMs }: CallEntry): number {
    const nowMs = this.#host.nowMs();
    const dueMs = sentMs + this.#moveAfterMs;
    return dueMs > nowMs ? dueMs : Math.max(this.#moveDueMs, nowMs + this.#options.stallMs);
  }

  #send(entry: CallEntry, { timeoutMs, retry }: { timeoutMs: number | null; retry: boolean }): void {
    const link = this.#connector.current as Link;
    const { request } = entry;
    const nowMs = this.#host.nowMs();
    const welcome = link.welcome as WelcomeMessage;
    if (request.bytes > welcome.limits.frameBytesMax) {
      const code: ErrorCode = request.operation.kind === 'txn' ? 'TXN_TOO_LARGE' : 'VALUE_TOO_LARGE';
      this.#apply(entry, entry.call.refuse(code, `about ${request.bytes} bytes, a frame has at most ${welcome.limits.frameBytesMax}`));
      return;
    }
    if (request.write && entry.id === null) {
      const session = this.#currentSession(link, nowMs);
      entry.id = { session, sequence: session.allocate(request.partition) };
    }
    entry.requestId = this.#newRequestId();
    entry.sentMs = nowMs;
    this.#open.set(entry.requestId, entry);
    const base = { kind: 'request' as const, requestId: entry.requestId, operation: request.operation, timeoutMs };
    link.send(entry.id === null ? base : { ...base, id: this.#writeId(entry.id, request.partition, retry) }, request.bytes);
    if (!request.patient) this.#setUrgent(this.#urgent + 1);
    this.#apply(entry, entry.call.tick(nowMs));
  }

  #writeId({ session, sequence }: NonNullable<CallEntry['id']>, partition: number, retry: boolean): { client: ClientId; sequence: number; answeredBelow: number; retry: boolean } {
    // An undecided sequence is given up in favour of later ones only; it may then lie below.
    const answeredBelow = Math.min(session.answeredBelow(partition), sequence);
    return { client: session.client, sequence, answeredBelow, retry };
  }

  #currentSession(link: Link, nowMs: number): Session {
    const { region } = link.welcome as WelcomeMessage;
    if (this.#session?.region !== region) this.#session = new Session(newClientId(link.serverNowMs(nowMs), this.#host.random), region);
    return this.#session as Session;
  }

  #dropId(entry: CallEntry): void {
    if (entry.id !== null) entry.id.session.finish(entry.request.partition, entry.id.sequence, true);
    entry.id = null;
  }

  #settle(entry: CallEntry, settlement: Settlement): void {
    const { id, requestId, request } = entry;
    if (requestId !== null) {
      this.#leaveWire(entry);
      this.#connector.current?.send({ kind: 'cancel', requestId }, 8);
    }
    this.#calls.delete(entry);
    this.#bytes -= request.bytes;
    let ticket: string | null = null;
    if (id !== null) {
      const decided = isDecided(settlement);
      id.session.finish(request.partition, id.sequence, decided);
      if (!decided && request.resolvable) ticket = ticketText({ region: id.session.region, partition: request.partition, client: id.session.client, sequence: id.sequence });
    }
    if (settlement.kind === 'answer') this.#judgeNode(request, settlement.answer);
    entry.settle(settlement, ticket);
  }

  /** A node that answers consistent calls only with timeouts may be cut off from the quorum that others have. */
  #judgeNode({ patient }: CallRequest, answer: Answer): void {
    if (patient || !('timeout' in answer)) return;
    if (answer.timeout) this.#tryOtherNode(this.#host.nowMs());
    else this.#moveAfterMs = this.#options.stallMs;
  }

  #tryOtherNode(nowMs: number): void {
    if (nowMs < this.#moveDueMs) return;
    this.#moveDueMs = nowMs + this.#moveAfterMs;
    this.#moveAfterMs = Math.min(this.#moveAfterMs * 2, moveAfterMsMax);
    this.moveOn();
  }

  #up(link: Link, welcome: WelcomeMessage): void {
    this.welcome = welcome;
    link.awaiting = false;
    this.#urgent = 0;
    if (this.#sessionDoubtful) this.#session = null;
    this.#sessionDoubtful = false;
    const nowMs = this.#host.nowMs();
    for (const entry of this.#calls) {
      entry.heldUntilMs = 0;
      this.#advance(entry, nowMs);
    }
    for (const entry of this.#streams) this.#sendStream(entry);
    for (const listener of this.onWelcome) listener(welcome);
    this.#wakeAt(0);
  }

  #down(): void {
    const nowMs = this.#host.nowMs();
    const lost = [...this.#open.values()];
    this.#open.clear();
    for (const entry of lost) {
      entry.requestId = null;
      if ('call' in entry) this.#apply(entry, entry.call.lost(nowMs));
    }
    this.#wakeAt(0);
  }

  #receive(messages: readonly ServerMessage[]): void {
    const nowMs = this.#host.nowMs();
    for (const message of messages) {
      if (message.kind === 'members') {
        this.#connector.setDirectory(message);
        if (this.welcome !== null) this.welcome = { ...this.welcome, members: message.members, leaders: message.leaders };
        for (const listener of this.onMembers) listener(message);
      } else if (message.kind === 'answer') {
        this.#answered(message.requestId, message.answer, nowMs);
      }
    }
  }

  #answered(requestId: number, answer: Answer, nowMs: number): void {
    const entry = this.#open.get(requestId);
    // Cancelled, while the answer was under way.
    if (entry === undefined) return;
    if ('stream' in entry) {
      if (answer.kind !== 'watch') this.#leaveWire(entry);
      if (answer.kind === 'error' && answer.code === 'STOPPING') this.moveOn();
      entry.stream.onAnswer(answer);
      return;
    }
    this.#leaveWire(entry);
    if (answer.kind === 'error' && answer.code === 'STOPPING') this.moveOn();
    this.#apply(entry, entry.call.answered(answer, nowMs));
  }

  #sendStream(entry: StreamEntry): void {
    const link = this.#connector.current;
    if (link?.welcome == null || entry.requestId !== null) return;
    entry.requestId = this.#newRequestId();
    this.#open.set(entry.requestId, entry);
    link.send({ kind: 'request', requestId: entry.requestId, operation: entry.stream.operation(), timeoutMs: null }, 256);
  }

  /** The outcome of an undecided write of this client is known now, so its result need not be kept any longer. */
  resolved({ client, partition, sequence }: Ticket): void {
    if (this.#session?.client === client) this.#session.finish(partition, sequence, true);
  }

  /** Asks again after an error that passes. */
  reopen(stream: Stream): void {
    for (const entry of this.#streams) if (entry.stream === stream) this.#sendStream(entry);
  }

  #endStream(entry: StreamEntry): void {
    this.#streams.delete(entry);
    const { requestId } = entry;
    if (requestId === null) return;
    this.#leaveWire(entry);
    this.#connector.current?.send({ kind: 'cancel', requestId }, 8);
  }

  #leaveWire(entry: CallEntry | StreamEntry): void {
    if (entry.requestId === null) return;
    this.#open.delete(entry.requestId);
    entry.requestId = null;
    if ('call' in entry && !entry.request.patient) this.#setUrgent(this.#urgent - 1);
  }

  #setUrgent(count: number): void {
    this.#urgent = Math.max(0, count);
    const link = this.#connector.current;
    if (link === null) return;
    const awaiting = this.#urgent > 0;
    if (awaiting && !link.awaiting) this.#wakeAt(this.#host.nowMs() + this.#options.quietMs);
    link.awaiting = awaiting;
  }

  #newRequestId(): number {
    do this.#lastRequestId = (this.#lastRequestId + 1) >>> 0; while (this.#open.has(this.#lastRequestId));
    return this.#lastRequestId;
  }

  #wakeAt(atMs: number): void {
    if (this.#closed || atMs === Number.POSITIVE_INFINITY) return;
    const nowMs = this.#host.nowMs();
    // One sweep serves all that is due within a few milliseconds.
    const dueMs = atMs <= nowMs ? nowMs : Math.max(atMs, nowMs + sweepMs);
    if (this.#timer !== null && this.#timer.dueMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timer = { dueMs, cancel: this.#host.setTimer(dueMs - nowMs, () => { this.#sweep(); }) };
  }

  #sweep(): void {
    this.#timer = null;
    if (this.#closed) return;
    const nowMs = this.#host.nowMs();
    let stalled = false;
    let nextMs = this.#connector.tick(nowMs);
    for (const entry of this.#calls) {
      if (entry.wakeMs <= nowMs) {
        stalled ||= entry.requestId !== null && !entry.request.patient && nowMs >= entry.sentMs + this.#moveAfterMs;
        this.#advance(entry, nowMs);
      }
      nextMs = Math.min(nextMs, Math.max(entry.wakeMs, nowMs + sweepMs));
    }
    if (stalled) this.#tryOtherNode(nowMs);
    this.#wakeAt(nextMs);
  }
}

function isDecided(settlement: Settlement): boolean {
  switch (settlement.kind) {
    case 'answer':
      return !('outcome' in settlement.answer) || settlement.answer.outcome !== 'undecided';
    case 'expired':
      return settlement.outcome !== 'undecided';
    case 'failed':
      return settlement.definite;
  }
}
