import {
  clientId,
  hashText,
  randomChance,
  randomHex,
  randomInt,
  randomPick,
  utf8Encode,
  type ClientId,
  type NodeId,
  type SeededRandom,
} from '@skerry/base';
import type { Answer, ClientRequest, Seen, WriteOperation } from '@skerry/replica';
import type { OperationKind } from '../plan.ts';
import { startWallMs } from '../wall-clock.ts';
import type { World } from '../world.ts';
import { ask } from './asking.ts';
import { bytesOf, textOf, type Caller, type Load } from './caller.ts';
import type { Entry } from './journal.ts';
import { holdLease } from './leases.ts';
import { awaitEntry } from './receipts.ts';
import { Token } from './token.ts';
import { transactTwins } from './twins.ts';
import { callTyped } from './updates.ts';
import { WriteCall, type WriteEnd } from './write-call.ts';

const catchUpMs = 1_000;

/** A client session: it thinks, calls, and keeps its promises about sequences. */
export class Client implements Caller {
  readonly name: string;
  readonly random: SeededRandom;
  /** Of every region. */
  readonly #loads: readonly Load[];
  readonly #token: Token = new Token();
  #load: Load;
  #id: ClientId;
  /** By partition: the next sequence, and those without an answer. */
  #sequences: Map<number, { next: number; readonly open: Set<number> }> = new Map();
  #openCalls = 0;
  /** The node it likes, as its connection is there. */
  #home: NodeId;

  constructor(name: string, { loads, region }: { loads: readonly Load[]; region: number }, random: SeededRandom) {
    this.name = name;
    this.#loads = loads;
    this.#load = loads[region] as Load;
    this.random = random;
    this.#home = randomPick(random, [...this.load.world.members]);
    this.#id = newId(random);
    this.#think();
  }

  get load(): Load {
    return this.#load;
  }

  patience(key: string, timeoutMs: number | null): Pick<ClientRequest, 'after' | 'timeoutMs'> {
    const after = this.#loads.length === 1 ? undefined : this.#token.of(this.partitionOf(key));
    // As the production client does it: what a lost region had not sent may come in hours, or never.
    return after === undefined ? { timeoutMs } : { timeoutMs: timeoutMs ?? catchUpMs, after };
  }

  saw(seen: Seen): void {
    this.#token.fold(seen);
  }

  wrote(receipt: string, isMoot: () => boolean): void {
    if (this.#loads.length > 1) this.#token.wrote(receipt, isMoot);
  }

  /** The partition of a key, computed apart from the code under test. */
  partitionOf(key: string): number {
    return hashText(key) % this.load.world.plan.partitionCount;
  }

  pickNode: (world: World) => NodeId = (world) => {
    const members = [...world.members];
    if (world !== this.load.world) return randomPick(this.random, members);
    if (randomChance(this.random, 0.15) || !members.includes(this.#home)) this.#home = randomPick(this.random, members);
    return randomChance(this.random, 0.65) ? this.#home : randomPick(this.random, members);
  };

  newValue(): string {
    return `v${this.load.counts.nextValue++}`;
  }

  /** Runs a write until its end. */
  write(key: string, operation: WriteOperation, onEnd: (end: WriteEnd) => void): void {
    const { world } = this.load;
    const partition = this.partitionOf(key);
    const sequences = this.#sequences.get(partition) ?? { next: 1, open: new Set<number>() };
    this.#sequences.set(partition, sequences);
    const sequence = sequences.next++;
    sequences.open.add(sequence);
    this.begin();
    new WriteCall(
      {
        world,
        random: this.random,
        operation,
        id: { client: this.#id, sequence },
        answeredBelow: () => Math.min(sequences.next, ...sequences.open),
        timeoutMs: this.drawTimeoutMs(),
        pickNode: this.pickNode,
        onAnomaly: (message) => this.load.onAnomaly('I7', message),
        onEnd: (end) => {
          sequences.open.delete(sequence);
          if (end.kind === 'answer' && end.seen !== null) this.saw(end.seen);
          onEnd(end);
          this.finish();
        },
      },
      partition,
    );
  }

  begin(): void {
    this.#openCalls++;
    this.load.counts.open++;
  }

  finish(): void {
    this.#openCalls--;
    this.load.counts.open--;
    if (this.#openCalls === 0) this.#think();
  }

  drawTimeoutMs(): number | null {
    if (randomChance(this.random, 0.5)) return null;
    return randomPick(this.random, [10, 60, 300, 1_000]);
  }

  #think(): void {
    const { world } = this.load;
    world.queue.after(randomInt(this.random, 1, world.plan.thinkMsMax), () => {
      if (this.load.counts.stopped || this.#openCalls > 0 || this.load.journal.callCount >= world.plan.callsMax) return;
      if (world.plan.moveChance > 0 && randomChance(this.random, world.plan.moveChance)) this.#move();
      for (let left = randomInt(this.random, 1, world.plan.pipelineMax); left > 0; left--) {
        if (world.plan.types.length > 0 && randomChance(this.random, 0.5)) callTyped(this);
        else this.#call(randomPick(this.random, world.plan.operations));
      }
    });
  }

  /** On in another region: as a session of its own to the nodes there, with what it has seen. */
  #move(): void {
    this.#load = randomPick(
      this.random,
      this.#loads.filter((load) => load !== this.#load),
    );
    const { world } = this.#load;
    world.sometimes.saw('client moved to another region');
    world.trace.line(`${this.name} moves to ${world.region}`);
    this.#home = randomPick(this.random, [...world.members]);
    this.#id = newId(this.random);
    this.#sequences = new Map();
  }

  #call(kind: OperationKind): void {
    const key = randomPick(this.random, this.load.keys);
    switch (kind) {
      case 'get':
        return this.#get(key, true);
      case 'localGet':
        return this.#get(key, false);
      case 'set':
        return this.#set(key, this.newValue(), true);
      case 'localSet':
        return this.#set(key, this.newValue(), false);
      case 'delete':
        return this.#set(key, null, true);
      case 'localDelete':
        return this.#set(key, null, false);
      case 'swap':
        return this.#swap(key);
      case 'txn':
        return this.#transaction(key);
      case 'twins':
        return transactTwins(this);
      case 'list':
        return this.#list(true);
      case 'localList':
        return this.#list(false);
      case 'lease':
        return holdLease(this);
    }
  }

  #get(key: string, consistent: boolean): void {
    const { journal, world } = this.load;
    const copies = consistent || randomChance(this.random, 0.7) ? 1 : randomInt(this.random, 1, world.members.size);
    const entry = journal.invoke(this.name, { op: 'get', key }, { consistent, region: world.index, copies });
    this.begin();
    ask({
      world,
      random: this.random,
      pickNode: this.pickNode,
      request: {
        operation: { kind: 'get', key, consistent, ...(copies > 1 ? { r: copies } : {}) },
        ...this.patience(key, copies > 1 ? 300 : this.drawTimeoutMs()),
      },
      onAnswer: (answer, label, seen) => {
        if (answer.kind !== 'key') this.load.onAnomaly('answer', `a get was answered ${answer.kind}`);
        else if (!answer.timeout) {
          entry.label = label;
          if (copies > 1) world.sometimes.saw('read merged');
          if (answer.behind === true) world.sometimes.saw('read behind');
          else if (seen !== null) this.saw(seen);
          // A local view that is behind promises nothing; a consistent read is one all the same.
          const { value, version, behind } = answer;
          if (behind !== true || consistent)
            journal.ok(entry, { outcome: 'read', value: textOf(value), version: version ?? undefined, behind });
        }
        this.finish();
        return true;
      },
    });
  }

  #set(key: string, value: string | null, consistent: boolean): void {
    const { world, journal } = this.load;
    const w =
      !consistent && randomChance(this.random, 0.25) ? { w: randomInt(this.random, 1, world.members.size) } : {};
    const operation: WriteOperation =
      value === null
        ? { kind: 'delete', key, consistent, ...w }
        : { kind: 'set', key, value: utf8Encode(value), consistent, ...w };
    const entry = journal.invoke(this.name, value === null ? { op: 'delete', key } : { op: 'set', key, value }, {
      consistent,
      region: world.index,
    });
    this.write(key, operation, (end) => {
      if (end.kind === 'noEffect') journal.fail(entry);
      if (end.kind !== 'answer') return;
      entry.label = end.label;
      entry.retried = end.retried;
      if (!consistent) this.#accepted(entry, end.answer, w.w ?? 1);
      else if (end.answer.kind === 'key')
        journal.ok(entry, { outcome: 'applied', version: end.answer.version ?? undefined });
    });
  }

  #accepted(entry: Entry, answer: Answer, w: number): void {
    if (answer.kind !== 'key' || answer.receipt === undefined)
      return this.load.onAnomaly('answer', `a quorum-less write was answered ${JSON.stringify(answer)}`);
    this.load.journal.accepted(entry, answer.version);
    if (answer.valid && w > 1) this.load.world.sometimes.saw('w copies');
    if (this.load.world.isWipedSince(entry.label ?? '')) entry.forsaken = true;
    this.wrote(answer.receipt, () => entry.forsaken || entry.receipt !== null);
    awaitEntry(this, entry, answer.receipt);
  }

  #swap(key: string): void {
    const { journal } = this.load;
    const oldValue = this.#guess(key);
    const newValue = randomChance(this.random, 0.15) ? null : this.newValue();
    const entry = journal.invoke(
      this.name,
      { op: 'swap', key, oldValue, newValue },
      { consistent: true, region: this.load.world.index },
    );
    this.write(key, { kind: 'swap', key, newValue: bytesOf(newValue), oldValue: bytesOf(oldValue) }, (end) => {
      if (end.kind === 'noEffect') journal.fail(entry);
      if (end.kind !== 'answer' || end.answer.kind !== 'key') return;
      entry.label = end.label;
      entry.retried = end.retried;
      const { outcome, version, value } = end.answer;
      if (outcome === 'refused')
        journal.ok(entry, { outcome: 'refused', current: textOf(value), version: version ?? undefined });
      else journal.ok(entry, { outcome: 'applied', version: version ?? undefined });
    });
  }

  /** A transaction that does what a swap does. */
  #transaction(key: string): void {
    const { journal } = this.load;
    const oldValue = this.#guess(key);
    const newValue = this.newValue();
    const entry = journal.invoke(
      this.name,
      { op: 'swap', key, oldValue, newValue },
      { consistent: true, region: this.load.world.index },
    );
    const operation: WriteOperation = {
      kind: 'txn',
      compares: [{ kind: 'value', key, equals: bytesOf(oldValue) }],
      then: [{ kind: 'set', key, value: utf8Encode(newValue) }],
      otherwise: [{ kind: 'get', key }],
    };
    this.write(key, operation, (end) => {
      if (end.kind === 'noEffect') journal.fail(entry);
      if (end.kind !== 'answer' || end.answer.kind !== 'txn') return;
      entry.label = end.label;
      entry.retried = end.retried;
      const [result] = end.answer.results;
      const version = result?.version ?? undefined;
      if (end.answer.succeeded) journal.ok(entry, { outcome: 'applied', version });
      else journal.ok(entry, { outcome: 'refused', current: textOf(result?.value ?? null), version });
    });
  }

  /** Each key of the page, and each that is missing in it, is a read of its own. */
  #list(consistent: boolean): void {
    const { journal, world, keys } = this.load;
    const entries = keys.map((key) =>
      journal.invoke(this.name, { op: 'get', key }, { consistent, region: world.index, listed: true }),
    );
    this.begin();
    ask({
      world,
      random: this.random,
      pickNode: this.pickNode,
      request: {
        operation: { kind: 'list', prefix: 'k', after: '', limit: 100, consistent, keysOnly: false },
        timeoutMs: this.drawTimeoutMs(),
      },
      onAnswer: (answer, label) => {
        if (answer.kind !== 'list') this.load.onAnomaly('answer', `a list was answered ${answer.kind}`);
        else if (!answer.timeout) {
          for (const entry of entries) {
            const found = answer.entries.find(({ key }) => key === entry.input.key);
            entry.label = label;
            journal.ok(entry, { outcome: 'read', value: textOf(found?.value ?? null), version: found?.version });
          }
        }
        this.finish();
        return true;
      },
    });
  }

  /** A value that may well be there. */
  #guess(key: string): string | null {
    if (randomChance(this.random, 0.2)) return null;
    for (let i = this.load.journal.entries.length - 1, seen = 0; i >= 0 && seen < 30; i--, seen++) {
      const { input, end } = this.load.journal.entries[i] as Entry;
      if (input.key !== key || end === null) continue;
      if (end.output?.outcome === 'read') return end.output.value;
      if (input.op === 'set') return input.value;
    }
    return null;
  }
}

function newId(random: SeededRandom): ClientId {
  return clientId(startWallMs.toString(16).padStart(12, '0') + randomHex(random, 10));
}
