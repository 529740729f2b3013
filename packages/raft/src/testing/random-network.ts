import {
  ByteReader,
  ByteWriter,
  nodeId,
  randomChance,
  randomInt,
  randomPick,
  randomShuffle,
  SeededRandom,
  type NodeId,
} from '@skerry/base';
import { decodeMessage, encodeMessage, logIndex, type LogIndex, type MemberChange, type Message } from '../index.ts';
import { MemoryStorage } from './memory-storage.ts';
import { SafetyChecker } from './safety-checker.ts';
import { TestNode, testOptions, testTicks } from './test-node.ts';

interface Packet {
  readonly at: number;
  readonly message: Message;
  readonly order: number;
}

/** What a run did; a batch of runs must have done all of it, or its faults are not the ones it claims. */
export interface RunEvents {
  leaders: number;
  crashes: number;
  persistsLost: number;
  snapshotsInstalled: number;
  configChanges: number;
  leaderRemovals: number;
  transfers: number;
  reads: number;
  readsFailed: number;
  truncations: number;
  committed: number;
}

const safetySteps = 500;
const livenessSteps = 600;

/** One seeded run: faults and checks, then healing and convergence. Throws with what was violated. */
export class RandomNetwork {
  readonly events: RunEvents = {
    leaders: 0,
    crashes: 0,
    persistsLost: 0,
    snapshotsInstalled: 0,
    configChanges: 0,
    leaderRemovals: 0,
    transfers: 0,
    reads: 0,
    readsFailed: 0,
    truncations: 0,
    committed: 0,
  };
  readonly #random: SeededRandom;
  readonly #nodes: TestNode[] = [];
  readonly #checker = new SafetyChecker();
  readonly #withCodec: boolean;
  readonly #lossRate: number;
  readonly #delayMax: number;
  readonly #syncRate: number;
  readonly #crashRate: number;
  readonly #configRate: number;
  readonly #restartRate: number;
  readonly #campaignRate: number;
  #packets: Packet[] = [];
  #order = 0;
  #now = 0;
  #healed = false;
  #cut = new Set<string>();
  /** When the voters of before a change lose their leader, and who they are. */
  #split: { readonly at: number; readonly leader: NodeId; readonly voters: readonly NodeId[] } | null = null;
  #proposals = 0;
  #contexts = 0;

  constructor(seed: number) {
    const random = new SeededRandom(seed);
    this.#random = random;
    this.#withCodec = randomChance(random, 0.25);
    // Figure 8, and votes that are forgotten, need leaders that come and go faster than entries get through.
    const churn = randomChance(random, 0.35);
    this.#lossRate = churn ? randomPick(random, [0.1, 0.3]) : randomPick(random, [0, 0.02, 0.1, 0.25]);
    this.#delayMax = randomPick(random, [1, 3, 8]);
    this.#syncRate = churn ? 0.7 : randomPick(random, [0.2, 0.5, 0.9]);
    this.#crashRate = churn ? randomPick(random, [0.01, 0.04]) : randomPick(random, [0, 0.004, 0.015]);
    this.#restartRate = churn ? 0.4 : 0.05;
    this.#campaignRate = churn ? randomPick(random, [0.01, 0.04]) : 0.002;
    this.#configRate = churn ? 0 : randomPick(random, [0, 0.01, 0.04]);
    const count = churn ? randomPick(random, [3, 4, 5]) : randomPick(random, [1, 2, 3, 3, 3, 4, 5, 5]);
    const ids = Array.from({ length: count + (this.#configRate > 0 ? 2 : 0) }, (_, i) => nodeId(`n${i + 1}`));
    const voters = ids.slice(0, count);
    const limits = {
      appendBytesMax: churn ? 1 : randomPick(random, [40, 200, 4096]),
      inflightAppendsMax: churn ? 1 : randomPick(random, [1, 3, 16]),
      entriesCachedBytesMax: randomPick(random, [0, 100, 4096]),
      applyBytesMax: randomPick(random, [50, 1000]),
      preVote: !churn && randomChance(random, 0.85),
      checkQuorum: !churn && randomChance(random, 0.6),
    };
    for (const id of ids) {
      const node = new TestNode(testOptions(id, random.fork(), limits), new MemoryStorage(voters));
      node.keepOutputs = false;
      this.#watch(node);
      this.#nodes.push(node);
    }
  }

  run(): void {
    for (let i = 0; i < safetySteps; i++) {
      this.#step();
      this.#hurt();
      this.#work();
      if (i % 50 === 0) this.#checker.checkLogMatching();
    }
    this.#heal();
    this.#converge();
    this.#checker.checkLogMatching();
    this.events.committed = this.#checker.committedCount;
  }

  #watch(node: TestNode): void {
    node.onOutput = (output) => {
      const { persist } = output;
      if (persist !== null && persist.snapshot !== null) this.events.snapshotsInstalled++;
      if (this.#checker.onOutput(node, output)) this.events.truncations++;
      if (output.soft?.role === 'leader') this.events.leaders++;
      for (const state of output.readStates) {
        if (state.index === null) this.events.readsFailed++;
        else this.events.reads++;
      }
    };
  }

  #tick(node: TestNode): void {
    this.#run(node);
    const rest = node.raft.restTicks();
    node.raft.tick();
    if (rest > 1 && node.raft.takeOutput() !== null)
      throw new Error(`${node.id} was to rest for ${rest} ticks, and the first came to something`);
  }

  /** One tick of time: clocks (which drift), disks, messages. */
  #step(): void {
    this.#now++;
    for (const node of this.#nodes) {
      if (!node.up) continue;
      if (this.#healed || randomChance(this.#random, 0.95)) this.#tick(node);
      this.#run(node);
      if (this.#healed || randomChance(this.#random, this.#syncRate)) {
        node.sync(this.#healed ? Infinity : randomInt(this.#random, 1, 3));
        this.#run(node);
      }
    }
    const due: Packet[] = [];
    const later: Packet[] = [];
    for (const packet of this.#packets) (packet.at <= this.#now ? due : later).push(packet);
    this.#packets = later;
    due.sort((a, b) => a.at - b.at || a.order - b.order);
    for (const packet of due) this.#deliver(packet.message);
  }

  #run(node: TestNode): void {
    node.run();
    const outbox = node.outbox;
    node.outbox = [];
    for (const message of outbox) this.#send(message);
    this.#checker.onStatus(node);
  }

  #send(message: Message): void {
    const copies = this.#healed
      ? 1
      : randomChance(this.#random, this.#lossRate)
        ? 0
        : randomChance(this.#random, this.#lossRate / 2)
          ? 2
          : 1;
    if (copies === 0 && message.kind === 'snapshot') this.#nodeOf(message.from).raft.reportSnapshot(message.to, false);
    for (let i = 0; i < copies; i++) {
      const delay = this.#healed ? 1 : randomInt(this.#random, 0, this.#delayMax);
      this.#packets.push({ at: this.#now + delay, message, order: this.#order++ });
    }
  }

  #deliver(message: Message): void {
    const to = this.#nodeOf(message.to);
    const from = this.#nodeOf(message.from);
    const arrives = to.up && !this.#cut.has(`${message.from}>${message.to}`);
    if (arrives) {
      to.raft.step(this.#withCodec ? recoded(message) : message);
      // Owners step several messages before they look at the output.
      if (randomChance(this.#random, 0.6)) this.#run(to);
    }
    if (message.kind === 'snapshot' && from.up) {
      from.raft.reportSnapshot(message.to, arrives);
      this.#run(from);
    } else if (!arrives && from.up && randomChance(this.#random, 0.2)) {
      from.raft.reportUnreachable(message.to);
      this.#run(from);
    }
  }

  #hurt(): void {
    const random = this.#random;
    for (const node of this.#nodes) {
      if (node.up && randomChance(random, this.#crashRate)) this.#crash(node);
      else if (!node.up && randomChance(random, this.#restartRate)) this.#restart(node);
      else if (node.up && randomChance(random, 0.003)) node.raft.setStorageHealthy(false);
      else if (node.up && randomChance(random, 0.05)) node.raft.setStorageHealthy(true);
    }
    if (randomChance(random, this.#crashRate / 8)) for (const node of this.#nodes) if (node.up) this.#crash(node);
    if (randomChance(random, 0.015)) this.#partition();
    if (this.#split !== null && this.#now >= this.#split.at) this.#cutOffOldVoters(this.#split);
    if (randomChance(random, 0.015)) this.#cut.clear();
  }

  #crash(node: TestNode): void {
    this.events.crashes++;
    if (node.persistsOutstanding > 0) this.events.persistsLost++;
    node.crash();
    // The others see their connections break, sooner or later, or not.
    for (const other of this.#nodes) {
      if (other.up && other.raft.status().leader === node.id && randomChance(this.#random, 0.7))
        other.raft.leaderLost();
    }
  }

  #restart(node: TestNode): void {
    node.restart();
    this.#checker.onRestart(node);
  }

  /** The leader alone, halves, one node away, one way, or a bridge: every directed link is cut or not. */
  #partition(): void {
    this.#cut.clear();
    const order = randomShuffle(this.#random, this.#nodes);
    const leader = order.findIndex((node) => node.up && node.raft.status().role === 'leader');
    const alone = leader !== -1 && randomChance(this.#random, 0.5);
    if (alone) order.unshift(...order.splice(leader, 1));
    const split = alone ? 1 : randomInt(this.#random, 1, Math.max(1, order.length - 1));
    const oneWay = randomChance(this.#random, 0.3);
    const bridge = !alone && randomChance(this.#random, 0.3) ? order[0] : undefined;
    for (const a of order.slice(0, split)) {
      for (const b of order.slice(split)) {
        if (a === bridge || b === bridge) continue;
        this.#cut.add(`${a.id}>${b.id}`);
        if (!oneWay) this.#cut.add(`${b.id}>${a.id}`);
      }
    }
  }

  #cutOffOldVoters({ leader, voters }: { readonly leader: NodeId; readonly voters: readonly NodeId[] }): void {
    this.#split = null;
    this.#cut.clear();
    for (const a of this.#nodes) {
      for (const b of this.#nodes) {
        const isOld = (id: NodeId): boolean => id !== leader && voters.includes(id);
        if (isOld(a.id) !== isOld(b.id)) this.#cut.add(`${a.id}>${b.id}`);
      }
    }
  }

  /** What clients and operators do. */
  #work(): void {
    const random = this.#random;
    // Several at once, so that votes are split and forgotten ones matter.
    const campaigners = randomChance(random, this.#campaignRate) ? this.#nodes.filter((node) => node.up) : [];
    for (const node of campaigners) node.raft.campaign();
    for (const node of this.#nodes) {
      if (!node.up) continue;
      if (randomChance(random, 0.25))
        node.raft.propose(new Uint8Array(randomInt(random, 1, 30)).fill(this.#proposals++ & 0xff));
      if (randomChance(random, 0.1)) this.#read(node);
      if (randomChance(random, this.#configRate)) this.#changeConfig(node);
      if (randomChance(random, 0.005) && node.raft.transferLeadership(randomPick(random, this.#nodes).id))
        this.events.transfers++;
      if (randomChance(random, 0.02)) node.compact(randomInt(random, 0, node.storage.applied) as LogIndex);
      if (randomChance(random, 0.02)) node.storage.snapshotReady = !node.storage.snapshotReady;
      if (randomChance(random, this.#campaignRate)) node.raft.campaign();
      if (randomChance(random, 0.005)) node.raft.leaderLost();
      this.#run(node);
    }
  }

  #read(node: TestNode): void {
    const context = this.#contexts++;
    this.#checker.onReadAsked(context);
    node.raft.readIndex(context);
  }

  #changeConfig(node: TestNode): void {
    const changes: MemberChange[] = [];
    for (let i = randomInt(this.#random, 1, 3); i > 0; i--) {
      changes.push({
        kind: randomPick(this.#random, ['addVoter', 'addVoter', 'addLearner', 'remove']),
        id: randomPick(this.#random, this.#nodes).id,
      });
    }
    const { voters } = node.raft.status().config;
    if (!node.raft.proposeConfig(changes).ok) return;
    // A majority of the old voters cut off in the middle of it is what a joint configuration is for.
    if (randomChance(this.#random, 0.4))
      this.#split = { at: this.#now + randomInt(this.#random, 1, 8), leader: node.id, voters };
    this.events.configChanges++;
    if (changes.some((change) => change.kind === 'remove' && change.id === node.id)) this.events.leaderRemovals++;
  }

  #heal(): void {
    this.#healed = true;
    this.#cut.clear();
    for (const node of this.#nodes) {
      if (!node.up) this.#restart(node);
      node.storage.snapshotReady = true;
      node.raft.setStorageHealthy(true);
    }
  }

  /** Liveness: a leader, a new entry applied by every member, and a read. */
  #converge(): void {
    let target: LogIndex | null = null;
    for (let i = 0; i < livenessSteps; i++) {
      this.#step();
      const leader = this.#nodes.find((node) => node.raft.status().role === 'leader' && node.raft.quorumActive());
      if (leader === undefined) continue;
      const { config, commit } = leader.raft.status();
      if (i % 20 === 0) {
        // Again each time: an earlier one may have been lost with its leader.
        const proposed = leader.raft.propose(new Uint8Array(3));
        if (proposed.ok) target = proposed.index;
      }
      if (i % 20 === 15) this.#read(leader);
      const members = this.#nodes.filter(
        (node) => config.voters.includes(node.id) || config.learners.includes(node.id),
      );
      const done =
        target !== null &&
        commit >= target &&
        config.votersOutgoing.length === 0 &&
        members.every((node) => node.applied === commit) &&
        leader.readStates.some((state) => state.index !== null && state.index >= (target ?? logIndex(0)));
      if (done) return;
    }
    throw new Error(
      `did not converge in ${livenessSteps} ticks of at most ${testTicks.electionTicksMax} to an election:\n${this.describe()}`,
    );
  }

  describe(): string {
    return this.#nodes.map((node) => `${node.up ? '' : 'down '}${node.raft.describe()}`).join('\n');
  }

  #nodeOf(id: NodeId): TestNode {
    return this.#nodes.find((node) => node.id === id) as TestNode;
  }
}

function recoded(message: Message): Message {
  const writer = new ByteWriter();
  encodeMessage(writer, message);
  const reader = new ByteReader(writer.finish());
  const decoded = decodeMessage(reader);
  reader.end();
  return decoded;
}
