import { ByteReader, ByteWriter, type ClientId } from '@skerry/base';
import { IntervalSet } from '@skerry/crdt';
import type { StateKeys } from '../keys.ts';
import type { StagedStore } from '../staged-store.ts';
import { decodeResult, encodeResult, isSmallResult, readResult, writeResult, type CommandResult } from './result.ts';

/** Results owed to one client in one partition (thesis 6.3). */
export interface Session {
  /** Cluster time of the last command, coarse: it moves in steps of {@link activeStepMs}. */
  lastActiveMs: number;
  /** It made quorum-less writes, of which a node that is cut off may hold copies for long. */
  quorumless: boolean;
  /** Sequences below were answered to the client; a consistent command of such a sequence is too late to apply. */
  answeredBelow: number;
  /** Sequences that took effect or were fenced. Never shrinks: it is what makes a dot's second copy harmless. */
  readonly done: IntervalSet;
  /** Those of `done` that are promoted quorum-less writes. */
  readonly promoted: IntervalSet;
  /** Those of `promoted` that were superseded: what to tell of a second copy when the first result is forgotten. */
  readonly superseded: IntervalSet;
  /**
   * The session was forgotten and is known again only because a node that was cut off handed in a quorum-less write.
   * Nobody knows what else it did, so it makes no consistent write any more.
   */
  readonly revived: boolean;
  /**
   * Results from `answeredBelow` on. Small ones are saved with the session, as they are soon gone again; `saved`: storage
   * has it as a record of its own.
   */
  readonly results: Map<number, { readonly result: CommandResult; saved: boolean }>;
  dirty: boolean;
}

/** Sessions are indexed by activity in steps, so that a busy one does not rewrite its index record all the time. */
export const activeStepMs = 60_000;
const cachedMax = 4_096;

/** The sessions of one partition: records in storage, the busy ones decoded. */
export class Sessions {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  readonly #cached: Map<ClientId, Session> = new Map();
  readonly #dirty: Map<ClientId, Session> = new Map();

  constructor(keys: StateKeys, store: StagedStore) {
    this.#keys = keys;
    this.#store = store;
  }

  find(client: ClientId): Session | null {
    const cached = this.#cached.get(client);
    if (cached !== undefined) return cached;
    const record = this.#store.get(this.#keys.session(client));
    if (record === undefined) return null;
    const session = decodeSession(record);
    const prefix = `${this.#keys.session(client)}/`;
    for (const { key, value } of this.#store.scan({ from: prefix, to: `${this.#keys.session(client)}0` })) {
      const sequence = Number.parseInt(key.slice(prefix.length), 16);
      session.results.set(sequence, { result: decodeResult(value), saved: true });
    }
    this.#cached.set(client, session);
    return session;
  }

  create(client: ClientId, { clusterMs, revived }: { clusterMs: number; revived: boolean }): Session {
    const session: Session = {
      // Cluster time goes back by what was not yet in the log when all nodes restart. Were a session that was born before
      // forgotten before its birth, it would be taken for new.
      lastActiveMs: Math.max(clusterMs, sessionBirthMs(client)),
      quorumless: false,
      answeredBelow: 1,
      done: new IntervalSet(),
      promoted: new IntervalSet(),
      superseded: new IntervalSet(),
      revived,
      results: new Map(),
      dirty: false,
    };
    this.#store.defer(this.#activeKey(client, session), new Uint8Array(0));
    this.#cached.set(client, session);
    this.#markDirty(client, session);
    return session;
  }

  /** A command of this client was applied at `clusterMs`. */
  touch(
    client: ClientId,
    session: Session,
    { clusterMs, answeredBelow }: { clusterMs: number; answeredBelow: number },
  ): void {
    if (clusterMs >= session.lastActiveMs + activeStepMs) {
      this.#store.deferDelete(this.#activeKey(client, session));
      session.lastActiveMs = clusterMs;
      this.#store.defer(this.#activeKey(client, session), new Uint8Array(0));
    }
    if (answeredBelow > session.answeredBelow) this.#forgetAnswered(client, session, answeredBelow);
    this.#markDirty(client, session);
  }

  /** From now on the session is kept as long as a node that is cut off may hold copies of its writes. */
  setQuorumless(client: ClientId, session: Session): void {
    if (session.quorumless) return;
    this.#store.deferDelete(this.#activeKey(client, session));
    session.quorumless = true;
    this.#store.defer(this.#activeKey(client, session), new Uint8Array(0));
    this.#markDirty(client, session);
  }

  finish(client: ClientId, session: Session, { sequence, result }: { sequence: number; result: CommandResult }): void {
    session.done.add(sequence);
    this.owe(client, session, { sequence, result });
    this.#markDirty(client, session);
  }

  /** A quorum-less write took effect. Its result is its receipt, as long as that is kept. */
  promoted(
    client: ClientId,
    session: Session,
    { sequence, superseded }: { sequence: number; superseded: boolean },
  ): void {
    session.done.add(sequence);
    session.promoted.add(sequence);
    if (superseded) session.superseded.add(sequence);
    this.#markDirty(client, session);
  }

  /** Keeps a result until the client has been answered. */
  owe(client: ClientId, session: Session, { sequence, result }: { sequence: number; result: CommandResult }): void {
    if (sequence < session.answeredBelow) return;
    session.results.set(sequence, { result, saved: false });
    this.#markDirty(client, session);
  }

  remove(client: ClientId, session: Session): void {
    for (const [sequence, { saved }] of session.results) {
      if (saved) this.#store.deferDelete(this.#keys.result(client, sequence));
    }
    this.#store.deferDelete(this.#keys.session(client));
    this.#store.deferDelete(this.#activeKey(client, session));
    this.#cached.delete(client);
    this.#dirty.delete(client);
  }

  /** True if a session was last active before its horizon. */
  isAnyIdle(horizonMs: number, quorumlessHorizonMs: number): boolean {
    const ranges = [
      { from: this.#keys.range('x').from, to: this.#keys.sessionActive(Math.max(0, horizonMs), ''), limit: 1 },
      {
        from: this.#keys.range('z').from,
        to: this.#keys.sessionActiveQuorumless(Math.max(0, quorumlessHorizonMs), ''),
        limit: 1,
      },
    ];
    return ranges.some((range) => {
      for (const _ of this.#store.scan(range)) return true;
      return false;
    });
  }

  /** Writes what changed into the deferred writes; call before they enter a batch. */
  save(): void {
    for (const [client, session] of this.#dirty) {
      this.#store.defer(this.#keys.session(client), encodeSession(session));
      for (const [sequence, owed] of session.results) {
        if (owed.saved || isSmallResult(owed.result)) continue;
        this.#store.defer(this.#keys.result(client, sequence), encodeResult(owed.result));
        owed.saved = true;
      }
      session.dirty = false;
    }
    this.#dirty.clear();
    if (this.#cached.size <= cachedMax) return;
    for (const client of this.#cached.keys()) {
      this.#cached.delete(client);
      if (this.#cached.size <= cachedMax / 2) break;
    }
  }

  /** Walks the shorter of the sequences passed and the results owed: a busy client moves on by a few at a time. */
  #forgetAnswered(client: ClientId, session: Session, answeredBelow: number): void {
    const { results } = session;
    const forget = (sequence: number): void => {
      const owed = results.get(sequence);
      if (owed === undefined) return;
      results.delete(sequence);
      if (owed.saved) this.#store.deferDelete(this.#keys.result(client, sequence));
    };
    if (answeredBelow - session.answeredBelow <= results.size) {
      for (let sequence = session.answeredBelow; sequence < answeredBelow; sequence++) forget(sequence);
    } else {
      for (const sequence of [...results.keys()]) if (sequence < answeredBelow) forget(sequence);
    }
    session.answeredBelow = answeredBelow;
  }

  #activeKey(client: ClientId, { quorumless, lastActiveMs }: Session): string {
    return quorumless
      ? this.#keys.sessionActiveQuorumless(lastActiveMs, client)
      : this.#keys.sessionActive(lastActiveMs, client);
  }

  #markDirty(client: ClientId, session: Session): void {
    if (session.dirty) return;
    session.dirty = true;
    this.#dirty.set(client, session);
  }
}

/** When the client made its id, in the cluster time that the node told which greeted it: the first 48 bits. */
export function sessionBirthMs(client: ClientId): number {
  return Number.parseInt(client.slice(0, 12), 16);
}

function encodeSession(session: Session): Uint8Array {
  const writer = new ByteWriter(64);
  writer.u48(session.lastActiveMs).bool(session.quorumless).bool(session.revived).varint(session.answeredBelow);
  session.done.encode(writer);
  session.promoted.encode(writer);
  session.superseded.encode(writer);
  const small = [...session.results].filter(([, { result }]) => isSmallResult(result)).sort(([a], [b]) => a - b);
  writer.varint(small.length);
  for (const [sequence, { result }] of small) writeResult(writer.varint(sequence), result);
  return writer.finish();
}

function decodeSession(bytes: Uint8Array): Session {
  const reader = new ByteReader(bytes);
  const lastActiveMs = reader.u48();
  const quorumless = reader.bool();
  const revived = reader.bool();
  const answeredBelow = reader.varint();
  const done = IntervalSet.decode(reader);
  const promoted = IntervalSet.decode(reader);
  const superseded = IntervalSet.decode(reader);
  const results: Session['results'] = new Map();
  for (let left = reader.count(2); left > 0; left--)
    results.set(reader.varint(), { result: readResult(reader), saved: false });
  return {
    lastActiveMs,
    quorumless,
    revived,
    answeredBelow,
    done,
    promoted,
    superseded,
    results,
    dirty: false,
  };
}
