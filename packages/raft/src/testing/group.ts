import { assertPresent, nodeId, SeededRandom, utf8Encode, type NodeId } from '@skerry/base';
import { logIndex, term, type Entry, type Message, type RaftOptions } from '../index.ts';
import { MemoryStorage } from './memory-storage.ts';
import { TestNode, testOptions } from './test-node.ts';

export interface GroupOptions {
  readonly voters?: readonly string[];
  readonly learners?: readonly string[];
  /** Nodes that exist and are no members yet. */
  readonly spares?: readonly string[];
  /** Terms of the log that a node starts with: its entries 1, 2, ... */
  readonly logs?: Readonly<Record<string, readonly number[]>>;
  readonly raft?: Partial<RaftOptions>;
  readonly seed?: number;
}

export function entryOf(index: number, entryTerm: number, text = ''): Entry {
  return { index: logIndex(index), term: term(entryTerm), kind: 'normal', data: utf8Encode(text) };
}

/** A few nodes and a network that delivers when told, in order, unless a link is cut. */
export class Group {
  readonly nodes: Map<NodeId, TestNode> = new Map();
  /** Messages that are dropped. */
  drop: (message: Message) => boolean = () => false;
  /** Everything delivered, for tests that look at it. */
  delivered: Message[] = [];

  constructor(options: GroupOptions = {}) {
    const voters = (options.voters ?? ['a', 'b', 'c']).map(nodeId);
    const learners = (options.learners ?? []).map(nodeId);
    const random = new SeededRandom(options.seed ?? 1);
    for (const id of [...voters, ...learners, ...(options.spares ?? []).map(nodeId)]) {
      const storage = new MemoryStorage(voters, learners);
      const terms = options.logs?.[id] ?? [];
      storage.log = terms.map((entryTerm, i) => entryOf(i + 1, entryTerm));
      storage.hardState = { term: term(terms.at(-1) ?? 0), vote: null, commit: logIndex(0) };
      this.nodes.set(id, new TestNode(testOptions(id, random.fork(), options.raft), storage));
    }
  }

  node(id: string): TestNode {
    return assertPresent(this.nodes.get(nodeId(id)), 'no such node', { id });
  }

  leader(): TestNode | null {
    const leaders = [...this.nodes.values()].filter((node) => node.up && node.raft.status().role === 'leader');
    leaders.sort((a, b) => b.raft.status().term - a.raft.status().term);
    return leaders[0] ?? null;
  }

  /** Cuts all links of `ids` to the others, both ways; without `ids`, heals. */
  isolate(...ids: string[]): void {
    const inside = new Set(ids);
    this.drop = (message) => inside.has(message.from) !== inside.has(message.to);
  }

  heal(): void {
    this.drop = () => false;
  }

  /** Runs everything until nothing moves: outputs, syncs, messages. */
  settle(): void {
    for (let moved = true; moved;) {
      moved = false;
      for (const node of this.nodes.values()) {
        if (!node.up) continue;
        node.run();
        while (node.persistsOutstanding > 0) {
          node.sync();
          node.run();
          moved = true;
        }
      }
      for (const node of this.nodes.values()) {
        const outbox = node.outbox;
        node.outbox = [];
        for (const message of outbox) moved = this.deliver(message) || moved;
      }
    }
  }

  /** Hands one message over; the snapshot's data stream is taken to succeed. */
  deliver(message: Message): boolean {
    const to = this.nodes.get(message.to);
    const ok = to !== undefined && to.up && !this.drop(message);
    if (ok) {
      this.delivered.push(message);
      to.raft.step(message);
    }
    if (message.kind === 'snapshot') this.nodes.get(message.from)?.raft.reportSnapshot(message.to, ok);
    return ok;
  }

  /** `count` ticks on every node that is up (or on `ids`), settling after each. */
  tick(count = 1, ids?: readonly string[]): void {
    for (let i = 0; i < count; i++) {
      for (const node of this.nodes.values())
        if (node.up && (ids === undefined || ids.includes(node.id))) node.raft.tick();
      this.settle();
    }
  }

  /** Makes `id` campaign and settles. */
  elect(id: string): TestNode {
    const node = this.node(id);
    node.raft.campaign();
    this.settle();
    return node;
  }

  propose(id: string, text: string): void {
    const result = this.node(id).raft.propose(utf8Encode(text));
    if (!result.ok) throw new Error(`${id} refused a proposal: ${result.reason}`);
  }

  describe(): string {
    return [...this.nodes.values()].map((node) => node.raft.describe()).join('\n');
  }
}

/** `index/term` of what a node has durably. */
export function logOf(node: TestNode): string {
  return node.storage.log.map((entry) => `${entry.index}/${entry.term}`).join(' ');
}
