import { assertPresent, randomChance, type NodeId, type SeededRandom } from '@skerry/base';
import { decodePeerFrame, encodePeerFrame, type PeerMessage } from '@skerry/replica';
import type { EventQueue } from './event-queue.ts';
import type { Machine } from './machine.ts';
import type { Plan } from './plan.ts';
import { draw } from './range.ts';
import type { Sometimes } from './sometimes.ts';
import type { Trace } from './trace.ts';

/** One direction between two nodes. */
interface Direction {
  readonly from: NodeId;
  readonly to: NodeId;
  cut: boolean;
  /** Frames that wait for the end of a cut; they are lost when the connection is reset. */
  stalled: Uint8Array[];
  lastArrivalMs: number;
}

/** Two nodes and the one connection between them. */
interface Pair {
  readonly nodes: readonly [NodeId, NodeId];
  /** Number of the connection; null: there is none. */
  connection: number | null;
  dialling: boolean;
}

export interface MessageFaults {
  lossy: boolean;
  duplicates: boolean;
  reordering: boolean;
}

interface NetworkOptions {
  readonly queue: EventQueue;
  readonly random: SeededRandom;
  readonly plan: Plan;
  readonly trace: Trace;
  readonly sometimes: Sometimes;
  readonly machines: ReadonlyMap<NodeId, Machine>;
}

/**
 * Connections as TCP gives them: ordered, cut with a delay until it is noticed, reset with all that is in flight. On top
 * of that, while the faults are on, single messages get lost (an overloaded link drops), come twice or late.
 */
export class Network {
  readonly faults: MessageFaults = { lossy: false, duplicates: false, reordering: false };
  readonly #options: NetworkOptions;
  readonly #directions: Map<string, Direction> = new Map();
  readonly #pairs: Map<string, Pair> = new Map();
  /** What each process believes: the connection it was told of, by `node|peer`. */
  readonly #believed: Map<string, number> = new Map();
  #nextConnection = 1;

  constructor(options: NetworkOptions) {
    this.#options = options;
    const names = [...options.machines.keys()];
    for (const [i, a] of names.entries()) {
      for (const b of names.slice(i + 1)) {
        this.#pairs.set(pairName(a, b), { nodes: [a, b], connection: null, dialling: false });
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const) {
          this.#directions.set(`${from}|${to}`, { from, to, cut: false, stalled: [], lastArrivalMs: 0 });
        }
      }
    }
  }

  send(from: Machine, to: NodeId, messages: readonly PeerMessage[]): void {
    const pair = this.#pairs.get(pairName(from.name, to));
    if (pair === undefined || pair.connection === null || this.#believed.get(`${from.name}|${to}`) !== pair.connection)
      return;
    const direction = this.#direction(from.name, to);
    const { random, plan } = this.#options;
    const { sometimes } = this.#options;
    const kept = this.faults.lossy ? messages.filter(() => !randomChance(random, plan.messageFaultChance)) : messages;
    if (kept.length < messages.length) sometimes.saw('message lost');
    if (kept.length === 0) return;
    const frame = encodePeerFrame(kept);
    if (direction.cut) {
      direction.stalled.push(frame);
      return;
    }
    this.#carry(pair, direction, frame);
    if (!this.faults.duplicates || !randomChance(random, plan.messageFaultChance)) return;
    sometimes.saw('message repeated');
    this.#carry(pair, direction, frame);
  }

  /** A process started: it dials, and is dialled by, everybody it can reach. */
  started(node: NodeId): void {
    for (const pair of this.#pairs.values()) if (pair.nodes.includes(node)) this.#dial(pair);
  }

  /** A process ended. `reset`: its kernel lives and closes the connections; else the others notice by silence. */
  crashed(node: NodeId, reset: boolean): void {
    const { random } = this.#options;
    for (const pair of this.#pairs.values()) {
      if (!pair.nodes.includes(node)) continue;
      const other = otherOf(pair, node);
      this.#believed.delete(`${node}|${other}`);
      const { connection } = pair;
      if (connection === null) continue;
      pair.connection = null;
      this.#forget(pair);
      this.#tellDown(other, node, {
        connection,
        reset,
        afterMs: reset ? 0.5 + draw(random, this.#options.plan.delayMs) : 500 + (random.uint32() % 2_000),
      });
    }
  }

  /** Nothing goes from `from` to `to` any more; after a while the connection is given up. */
  cut(from: NodeId, to: NodeId): void {
    const direction = this.#direction(from, to);
    if (direction.cut) return;
    direction.cut = true;
    const pair = this.#pair(from, to);
    const { connection } = pair;
    this.#options.queue.after(300 + (this.#options.random.uint32() % 2_500), () => {
      if (connection !== null && pair.connection === connection && direction.cut) this.#reset(pair);
    });
  }

  heal(from: NodeId, to: NodeId): void {
    const direction = this.#direction(from, to);
    if (!direction.cut) return;
    direction.cut = false;
    const pair = this.#pair(from, to);
    for (const frame of direction.stalled.splice(0)) this.#carry(pair, direction, frame);
    this.#dial(pair);
  }

  healAll(): void {
    for (const { from, to } of this.#directions.values()) this.heal(from, to);
    for (const pair of this.#pairs.values()) this.#dial(pair);
  }

  /** The connection breaks though both sides live: a reset by something in between. */
  breakConnection(a: NodeId, b: NodeId): void {
    const pair = this.#pair(a, b);
    if (pair.connection === null) return;
    this.#reset(pair);
    this.#dial(pair);
  }

  #carry(pair: Pair, direction: Direction, frame: Uint8Array): void {
    const { queue, random, plan, machines, trace } = this.#options;
    const { connection } = pair;
    const isLate = this.faults.reordering && randomChance(random, plan.messageFaultChance);
    let atMs = queue.nowMs + draw(random, plan.delayMs);
    if (isLate) {
      this.#options.sometimes.saw('message late');
      atMs += random.uint32() % 300;
    } else {
      atMs = Math.max(atMs, direction.lastArrivalMs + 0.001);
      direction.lastArrivalMs = atMs;
    }
    const receiver = assertPresent(machines.get(direction.to), 'a node');
    const { life } = receiver;
    queue.at(atMs, () => {
      if (pair.connection !== connection || receiver.life !== life) return;
      if (direction.cut) {
        direction.stalled.push(frame);
        return;
      }
      trace.bytes(
        () => `${direction.from} > ${direction.to} ${decodePeerFrame(frame).map(describe).join(', ')}`,
        frame,
      );
      receiver.input(life, () => {
        for (const message of decodePeerFrame(frame)) receiver.replica?.receive(direction.from, message, receiver.now);
      });
    });
  }

  #reset(pair: Pair): void {
    const { connection } = pair;
    if (connection === null) return;
    pair.connection = null;
    this.#forget(pair);
    const [a, b] = pair.nodes;
    for (const [node, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      this.#tellDown(node, peer, { connection, reset: false, afterMs: this.#options.random.uint32() % 200 });
    }
  }

  #forget(pair: Pair): void {
    const [a, b] = pair.nodes;
    this.#direction(a, b).stalled = [];
    this.#direction(b, a).stalled = [];
  }

  #tellDown(
    node: NodeId,
    peer: NodeId,
    { connection, reset, afterMs }: { connection: number; reset: boolean; afterMs: number },
  ): void {
    const machine = assertPresent(this.#options.machines.get(node), 'a node');
    const { life } = machine;
    this.#options.queue.after(afterMs, () => {
      if (machine.life !== life || this.#believed.get(`${node}|${peer}`) !== connection) return;
      this.#believed.delete(`${node}|${peer}`);
      machine.input(life, () => machine.replica?.peerDown(peer, reset, machine.now));
      this.#dial(this.#pair(node, peer));
    });
  }

  #dial(pair: Pair): void {
    if (pair.dialling || pair.connection !== null) return;
    pair.dialling = true;
    const { queue, random } = this.#options;
    queue.after(1 + (random.uint32() % 150), () => {
      pair.dialling = false;
      this.#connect(pair);
    });
  }

  #connect(pair: Pair): void {
    const { queue, random, plan, machines } = this.#options;
    const [a, b] = pair.nodes;
    const one = assertPresent(machines.get(a), 'a node');
    const other = assertPresent(machines.get(b), 'a node');
    const isOpen = one.isUp && other.isUp && !this.#direction(a, b).cut && !this.#direction(b, a).cut;
    if (!isOpen || pair.connection !== null) return;
    // Each side first asks whether the other may come; both, though one of them may refuse.
    const admitted = [this.#admits(one, other), this.#admits(other, one)];
    if (admitted.includes(false)) return this.#dial(pair);
    const connection = this.#nextConnection++;
    pair.connection = connection;
    for (const [node, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      const machine = assertPresent(machines.get(node), 'a node');
      const { life } = machine;
      const atMs = queue.nowMs + draw(random, plan.delayMs);
      this.#direction(peer, node).lastArrivalMs = atMs;
      queue.at(atMs, () => {
        if (machine.life !== life || pair.connection !== connection) return;
        const isKnown = this.#believed.has(`${node}|${peer}`);
        this.#believed.set(`${node}|${peer}`, connection);
        machine.input(life, () => {
          if (isKnown) machine.replica?.peerDown(peer, true, machine.now);
          machine.replica?.peerUp(peer, machine.now);
        });
      });
    }
  }

  /**
   * A node that was away while the other was replaced remembers the old incarnation. The production server then refuses
   * the new one for good if that is the leader, who alone could tell; here any member may vouch for it.
   */
  #admits(machine: Machine, peer: Machine): boolean {
    if (machine.incarnations.admit(peer.name, peer.replicaNumber)) return true;
    const isVouchedFor = [...this.#options.machines.values()].some(
      ({ name, isUp, incarnations }) => isUp && name !== peer.name && incarnations.names(peer.name, peer.replicaNumber),
    );
    if (isVouchedFor) machine.incarnations.replaced(peer.name, peer.replicaNumber);
    return isVouchedFor;
  }

  #direction(from: NodeId, to: NodeId): Direction {
    return assertPresent(this.#directions.get(`${from}|${to}`), 'a direction', { from, to });
  }

  #pair(a: NodeId, b: NodeId): Pair {
    return assertPresent(this.#pairs.get(pairName(a, b)), 'a pair', { a, b });
  }
}

function pairName(a: NodeId, b: NodeId): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}

function otherOf({ nodes: [a, b] }: Pair, node: NodeId): NodeId {
  return node === a ? b : a;
}

function describe(message: PeerMessage): string {
  if (message.kind === 'raft') {
    const { kind, term } = message.message;
    const more =
      message.message.kind === 'append'
        ? ` ${message.message.prevIndex}+${message.message.entries.length} c${message.message.commit}`
        : '';
    return `p${message.partition} ${kind} t${term}${more}`;
  }
  if (message.kind === 'chunk')
    return `p${message.partition} chunk ${message.transfer}.${message.number}${message.last ? ' last' : ''} @${message.meta.index}`;
  if (message.kind === 'chunked') return `p${message.partition} chunked ${message.transfer}.${message.number}`;
  return message.kind;
}
