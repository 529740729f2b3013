import { unreachable, type RegionId } from '@skerry/base';
import {
  ticketText,
  type Answer,
  type ErrorCode,
  type MembersMessage,
  type ServerMessage,
  type Ticket,
  type WelcomeMessage,
} from '@skerry/protocol';
import { Alarm, graceMs } from './alarm.ts';
import { isDecided, type CallAction, type Greeting, type Settlement } from './call.ts';
import { catchesUp, isBehind, isCutShort, noteAnswer } from './catch-up.ts';
import { Connector } from './connector.ts';
import type { Host } from './host.ts';
import type { DispatcherOptions, Lane } from './lane.ts';
import type { Link, LinkEnd } from './link.ts';
import { LinkedList } from './linked-list.ts';
import { OpenRequests } from './open-requests.ts';
import type { CallEntry, CallRequest, StreamEntry } from './pending.ts';
import { Restlessness } from './restlessness.ts';
import { newClientId, Session } from './session.ts';
import { NodeSeen, type SessionToken } from './token.ts';

export interface DispatcherListener {
  readonly onUp: (of: Dispatcher, welcome: WelcomeMessage) => void;
  readonly onMembers: (of: Dispatcher, members: MembersMessage) => void;
  readonly onFailure: (of: Dispatcher, end: LinkEnd, url: string) => void;
  readonly onForeign: (url: string, region: RegionId) => void;
  readonly onTrouble: () => void;
}

/** Carries out what calls of one region say, over whatever link the {@link Connector} has. */
export class Dispatcher {
  readonly #host: Host;
  readonly #options: DispatcherOptions;
  readonly #listener: DispatcherListener;
  readonly #token: SessionToken;
  readonly #connector: Connector;
  readonly #calls = new LinkedList<CallEntry>();
  readonly #streams = new Set<StreamEntry>();
  readonly #open = new OpenRequests();
  #region: RegionId | null;
  #session: Session | null = null;
  /** A session that was made of the last welcome was refused: the next welcome begins another. */
  #sessionDoubtful = false;
  /** What the node at the current link has applied. */
  #node = new NodeSeen();
  readonly #restlessness: Restlessness;
  readonly #alarm: Alarm;
  #wanted = false;
  /** When the last use ended. */
  #unusedMs = 0;
  #wasInTrouble = true;
  #closed = false;
  welcome: WelcomeMessage | null = null;

  constructor(
    host: Host,
    options: DispatcherOptions,
    { lane, listener }: { lane: Lane; listener: DispatcherListener },
  ) {
    this.#host = host;
    this.#options = options;
    this.#listener = listener;
    this.#token = lane.token;
    this.#region = lane.region;
    this.#restlessness = new Restlessness(options.stallMs);
    this.#alarm = new Alarm(host, () => {
      this.#sweep();
    });
    const addresses = {
      region: () => this.#region,
      urls: () => lane.urls(this.#region),
      roundTripMs: () => (this.#region === null ? null : lane.roundTripMs(this.#region)),
    };
    this.#connector = new Connector(addresses, {
      host,
      options,
      listener: {
        onUp: (link, welcome) => {
          this.#up(link, welcome);
        },
        onMessages: (_, messages) => {
          this.#receive(messages);
        },
        onDown: () => {
          this.#down();
        },
        onFailure: (end, url) => {
          listener.onFailure(this, end, url);
          this.#alarm.at(0);
        },
        onForeign: listener.onForeign,
      },
    });
  }

  /** null: not connected for the first time yet. */
  get region(): RegionId | null {
    return this.#region;
  }

  get endpoint(): string | null {
    return this.#connector.current?.url ?? null;
  }

  get isUp(): boolean {
    return this.#connector.current !== null;
  }

  /** All partitions have leaders, as far as the node that is connected knows. */
  get hasLeaders(): boolean {
    return this.isUp && this.welcome?.leaders.every((leader) => leader !== null) === true;
  }

  /** Calls that may be carried out elsewhere when this region is gone. */
  get hasMovableCalls(): boolean {
    for (const { request } of this.#calls.all()) if (request.region === null) return true;
    return false;
  }

  get isInTrouble(): boolean {
    return this.#connector.isInTrouble(this.#host.nowMs());
  }

  /** No node of it is left that was not asked. */
  get hasTriedAll(): boolean {
    return this.#connector.hasTriedAll(this.#host.nowMs());
  }

  /** Connects, and stays connected until this is set to false and nothing is open any more. */
  set wanted(wanted: boolean) {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#unusedMs = this.#host.nowMs();
    if (wanted) this.#connector.wake();
    this.#alarm.at(0);
  }

  measure(done: (roundTripMs: number) => void): void {
    this.#connector.current?.measure(done);
  }

  /** Goes over to another node, if there is one. */
  moveOn(): void {
    this.#connector.moveOn();
    this.#alarm.at(0);
  }

  take(entry: CallEntry): void {
    entry.owner = this;
    this.#calls.add(entry);
    this.#connector.wake();
    if (!this.isUp) this.#alarm.at(0);
    this.#advance(entry, this.#host.nowMs());
  }

  stop(entry: CallEntry, code: 'ABORTED' | 'CLOSED'): void {
    this.#apply(entry, entry.call.stop(code));
  }

  open(entry: StreamEntry): void {
    this.#streams.add(entry);
    this.#connector.wake();
    if (!this.isUp) this.#alarm.at(0);
    this.#sendStream(entry);
  }

  /** Asks again after an error that passes. False: it is not here. */
  reopen(entry: StreamEntry): boolean {
    if (!this.#streams.has(entry)) return false;
    this.#sendStream(entry);
    return true;
  }

  /** False: it is not here. */
  endStream(entry: StreamEntry): boolean {
    if (!this.#streams.delete(entry)) return false;
    this.#cancel(entry);
    return true;
  }

  /**
   * Gives away what another region is to carry out. `lost`: this one is given up: its writes that may have been applied end
   * as undecided. Otherwise what is on the wire is finished here.
   */
  evacuate(lost: boolean): { calls: readonly CallEntry[]; streams: readonly StreamEntry[] } {
    const nowMs = this.#host.nowMs();
    const calls: CallEntry[] = [];
    for (const entry of this.#calls.all()) {
      if (entry.request.region !== null || (!lost && (entry.requestId !== null || entry.call.mayBeApplied))) continue;
      const action = entry.call.regionLost(nowMs);
      if (action.kind === 'settle') {
        this.#apply(entry, action);
        continue;
      }
      this.#cancel(entry);
      this.#calls.remove(entry);
      calls.push(entry);
    }
    const streams = [...this.#streams];
    for (const entry of streams) this.endStream(entry);
    // Nobody is there whose connection would be worth keeping.
    if (lost) this.#unusedMs = Number.NEGATIVE_INFINITY;
    this.#alarm.at(0);
    return { calls, streams };
  }

  /** The outcome of an undecided write of this client is known now, so its result need not be kept any longer. */
  resolved({ client, partition, sequence }: Ticket): void {
    if (this.#session?.client === client) this.#session.finish(partition, sequence, true);
  }

  close(): void {
    if (this.#closed) return;
    for (const entry of this.#calls.all()) this.stop(entry, 'CLOSED');
    this.#streams.clear();
    this.#closed = true;
    this.#alarm.stop();
    this.#connector.rest('closed');
  }

  /** Sends it if it may be sent now. */
  #advance(entry: CallEntry, nowMs: number): void {
    if (this.#connector.current?.welcome == null) {
      this.#apply(entry, entry.call.tick(nowMs));
      return;
    }
    if (nowMs < entry.heldUntilMs) {
      const action = entry.call.tick(nowMs);
      this.#apply(
        entry,
        action.kind === 'wait' ? { kind: 'wait', untilMs: Math.min(action.untilMs, entry.heldUntilMs) } : action,
      );
      return;
    }
    if (entry.id !== null && entry.id.session !== this.#session && !entry.call.mayBeApplied) this.#dropId(entry);
    this.#apply(entry, entry.call.ready(nowMs));
  }

  #apply(entry: CallEntry, action: CallAction): void {
    switch (action.kind) {
      case 'wait':
        entry.wakeMs = action.untilMs;
        if (entry.requestId !== null && !entry.request.patient)
          entry.wakeMs = Math.min(entry.wakeMs, this.#restlessness.dueMs(entry.sentMs, this.#host.nowMs()));
        this.#alarm.at(entry.wakeMs);
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
      this.#alarm.at(nowMs);
    }
    this.#advance(entry, nowMs);
  }

  #send(entry: CallEntry, action: { timeoutMs: number | null; retry: boolean }): void {
    const link = this.#connector.current as Link;
    const { request } = entry;
    const nowMs = this.#host.nowMs();
    const { frameBytesMax } = (link.welcome as WelcomeMessage).limits;
    if (request.bytes > frameBytesMax) {
      const code: ErrorCode = request.operation.kind === 'txn' ? 'TXN_TOO_LARGE' : 'VALUE_TOO_LARGE';
      this.#apply(entry, entry.call.refuse(code, `about ${request.bytes} bytes, a frame has at most ${frameBytesMax}`));
      return;
    }
    if (request.write && entry.id === null) {
      const session = this.#currentSession(link, nowMs);
      entry.id = { session, sequence: session.allocate(request.partition ?? 0) };
    }
    const requestId = this.#open.add(entry);
    entry.sentMs = nowMs;
    const { timeoutMs, after } = catchesUp(entry, action.timeoutMs, {
      token: this.#token,
      node: this.#node,
      defaultMs: this.#options.catchUpMs,
    });
    link.send(entry.message(requestId, { timeoutMs, retry: action.retry, after }), request.bytes);
    this.#setAwaiting();
    this.#apply(entry, entry.call.tick(nowMs));
  }

  #currentSession(link: Link, nowMs: number): Session {
    this.#session ??= new Session(newClientId(link.serverNowMs(nowMs), this.#host.random), this.#region as RegionId);
    return this.#session;
  }

  #dropId(entry: CallEntry): void {
    if (entry.id !== null) entry.id.session.finish(entry.request.partition ?? 0, entry.id.sequence, true);
    entry.id = null;
  }

  #settle(entry: CallEntry, settlement: Settlement): void {
    const { id, request } = entry;
    this.#cancel(entry);
    this.#calls.remove(entry);
    this.#unusedMs = this.#host.nowMs();
    let ticket: string | null = null;
    if (id !== null) {
      const decided = isDecided(settlement);
      const partition = request.partition ?? 0;
      id.session.finish(partition, id.sequence, decided);
      if (!decided && request.resolvable)
        ticket = ticketText({ region: id.session.region, partition, client: id.session.client, sequence: id.sequence });
    }
    const answered = settlement.kind === 'answer';
    if (answered) {
      this.#judgeNode(request, settlement.answer);
      noteAnswer(request, settlement.answer, { token: this.#token, node: this.#node });
    }
    entry.settle(settlement, {
      ticket,
      region: answered ? this.#region : null,
      behind: answered && isBehind(entry, settlement.answer, this.#node),
    });
    if (!this.#wanted) this.#alarm.at(this.#unusedMs + this.#options.lingerMs);
  }

  /** A node that answers consistent calls only with timeouts may be cut off from the quorum that others have. */
  #judgeNode({ patient }: CallRequest, answer: Answer): void {
    if (patient || !('timeout' in answer)) return;
    if (answer.timeout) this.#tryOtherNode(this.#host.nowMs());
    else this.#restlessness.calm();
  }

  #tryOtherNode(nowMs: number): void {
    if (this.#restlessness.tries(nowMs)) this.moveOn();
  }

  #up(link: Link, welcome: WelcomeMessage): void {
    this.#region = welcome.region;
    this.welcome = welcome;
    link.awaiting = false;
    this.#node = new NodeSeen();
    if (this.#sessionDoubtful) this.#session = null;
    this.#sessionDoubtful = false;
    const nowMs = this.#host.nowMs();
    for (const entry of this.#calls.all()) {
      entry.heldUntilMs = 0;
      this.#advance(entry, nowMs);
    }
    for (const entry of this.#streams) this.#sendStream(entry);
    this.#listener.onUp(this, welcome);
    this.#tellTrouble();
    this.#alarm.at(0);
  }

  #down(): void {
    const nowMs = this.#host.nowMs();
    for (const entry of this.#open.takeAll()) if ('call' in entry) this.#apply(entry, entry.call.lost(nowMs));
    this.#tellTrouble();
    this.#alarm.at(0);
  }

  #receive(messages: readonly ServerMessage[]): void {
    const nowMs = this.#host.nowMs();
    for (const message of messages) {
      switch (message.kind) {
        case 'members':
          this.#connector.setLeaders(message);
          if (this.welcome !== null)
            this.welcome = {
              ...this.welcome,
              members: message.members,
              leaders: message.leaders,
              regions: message.regions,
            };
          this.#listener.onMembers(this, message);
          break;
        case 'seen':
          this.#node.take(message);
          this.#token.settleOwn(this.#node);
          break;
        case 'answer':
          this.#answered(message.requestId, message.answer, nowMs);
          break;
        default:
      }
    }
  }

  #answered(requestId: number, answer: Answer, nowMs: number): void {
    const entry = this.#open.find(requestId);
    // Cancelled, while the answer was under way.
    if (entry === undefined) return;
    if ('stream' in entry) {
      if (answer.kind !== 'watch') this.#leaveWire(entry);
      else this.#token.fold(entry.stream.partition, this.#node);
      if (answer.kind === 'error' && answer.code === 'STOPPING') this.moveOn();
      entry.stream.onAnswer(answer);
      return;
    }
    this.#leaveWire(entry);
    if (answer.kind === 'error' && answer.code === 'STOPPING') this.moveOn();
    if (isCutShort(entry, answer)) {
      entry.reading.waited = true;
      this.#node.stuck.add(entry.request.partition);
      this.#apply(entry, entry.call.lost(nowMs));
      this.#advance(entry, nowMs);
      return;
    }
    this.#apply(entry, entry.call.answered(answer, nowMs));
  }

  #sendStream(entry: StreamEntry): void {
    const link = this.#connector.current;
    if (link?.welcome == null || entry.requestId !== null) return;
    const requestId = this.#open.add(entry);
    link.send(
      { kind: 'request', requestId, operation: entry.stream.operation(link.welcome.region), timeoutMs: null },
      256,
    );
  }

  /** Takes it from the wire, and tells the node. */
  #cancel(entry: CallEntry | StreamEntry): void {
    const { requestId } = entry;
    if (requestId === null) return;
    this.#leaveWire(entry);
    this.#connector.current?.send({ kind: 'cancel', requestId }, 8);
  }

  #leaveWire(entry: CallEntry | StreamEntry): void {
    this.#open.remove(entry);
    this.#setAwaiting();
  }

  #setAwaiting(): void {
    const link = this.#connector.current;
    if (link === null) return;
    const awaiting = this.#open.isAwaiting;
    if (awaiting && !link.awaiting) this.#alarm.at(this.#host.nowMs() + this.#options.quietMs);
    link.awaiting = awaiting;
  }

  #tellTrouble(): void {
    const isInTrouble = this.isInTrouble;
    if (isInTrouble === this.#wasInTrouble) return;
    this.#wasInTrouble = isInTrouble;
    this.#listener.onTrouble();
  }

  #sweep(): void {
    const nowMs = this.#host.nowMs();
    let stalled = false;
    let nextMs = this.#connector.tick(nowMs);
    this.#tellTrouble();
    for (const entry of this.#calls.all()) {
      if (entry.wakeMs <= nowMs) {
        stalled ||=
          entry.requestId !== null && !entry.request.patient && this.#restlessness.isStalled(entry.sentMs, nowMs);
        this.#advance(entry, nowMs);
      }
      nextMs = Math.min(nextMs, Math.max(entry.wakeMs, nowMs + graceMs));
    }
    if (stalled) this.#tryOtherNode(nowMs);
    this.#alarm.at(Math.min(nextMs, this.#restWhenUnused(nowMs)));
  }

  /** Returns when to call it again. */
  #restWhenUnused(nowMs: number): number {
    if (this.#wanted || this.#calls.size > 0 || this.#streams.size > 0) return Number.POSITIVE_INFINITY;
    const dueMs = this.#unusedMs + this.#options.lingerMs;
    if (nowMs < dueMs) return dueMs;
    this.#connector.rest('not used');
    return Number.POSITIVE_INFINITY;
  }
}
