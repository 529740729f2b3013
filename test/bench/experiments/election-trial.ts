import { emptyBytes, nodeId, randomFloat, SeededRandom, type NodeId } from '@skerry/base';
import { logIndex, term, type Entry, type Message } from '@skerry/raft';
import { delayMs, VirtualServer } from './virtual-server.ts';

export interface ElectionSettings {
  /** Milliseconds; each server draws its timeout from here ... */
  readonly timeoutMsMin: number;
  /** ... to here. */
  readonly timeoutMsMax: number;
  /** false: Raft as in the paper, where a candidate takes a new term at once. */
  readonly preVote: boolean;
}

export interface ElectionTrial {
  /** From the crash of the leader to a new leader; null: there was none within {@link giveUpMs}. */
  readonly electedMs: number | null;
  /** Messages about votes that were sent in that time, answers included. */
  readonly messages: number;
  readonly winner: NodeId | null;
}

/** One way; with the disk a round of votes takes about 15 ms, as in the paper's cluster. */
const networkDelayMs = { min: 2, max: 7 };
/** Votes are durable before they are sent. */
const syncDelayMs = { min: 1, max: 4 };
const giveUpMs = 60_000;
const tickMs = 1;
const servers = 5;
/** Servers whose log lacks the last entry and that cannot win; a majority has it. */
const behind = 2;
const commonEntries = 9;
const voteKinds: ReadonlySet<Message['kind']> = new Set(['preVote', 'preVoteResponse', 'vote', 'voteResponse']);

/**
 * The leader of five servers crashes, as in the experiment behind Figure 16 of Ongaro and Ousterhout 2014: at any moment
 * of a heartbeat interval of half the least timeout, after a heartbeat that reached all at once, so that their timers
 * run together; and not all that are left have the log to win.
 */
export function electionTrial(settings: ElectionSettings, seed: number): ElectionTrial {
  return new Trial(settings, seed).run();
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

class Trial {
  readonly #random: SeededRandom;
  readonly #servers = new Map<NodeId, VirtualServer>();
  readonly #diskFreeMs = new Map<VirtualServer, number>();
  readonly #events: Event[] = [];
  readonly #leader: NodeId;
  readonly #crashAtMs: number;
  #nowMs = 0;
  #order = 0;
  #messages = 0;

  constructor({ timeoutMsMin, timeoutMsMax, preVote }: ElectionSettings, seed: number) {
    this.#random = new SeededRandom(seed);
    const voters = Array.from({ length: servers }, (_, index) => nodeId(`s${index + 1}`));
    this.#leader = voters[0] as NodeId;
    const heartbeatMs = Math.floor(timeoutMsMin / 2);
    this.#crashAtMs = randomFloat(this.#random) * heartbeatMs;
    for (const [index, id] of voters.entries()) {
      // Its last heartbeat is the first event; the leader itself is gone from then on, as far as anybody can tell.
      if (id === this.#leader) continue;
      const entries = entriesOf(index >= servers - behind ? commonEntries : commonEntries + 1);
      const server = new VirtualServer(
        {
          id,
          random: this.#random.fork(),
          heartbeatTicks: heartbeatMs / tickMs,
          electionTicksMin: timeoutMsMin / tickMs,
          electionTicksMax: timeoutMsMax / tickMs,
          preVote,
          appendBytesMax: 65_536,
          inflightAppendsMax: 8,
          inflightBytesMax: 65_536,
          uncommittedBytesMax: 65_536,
          entriesCachedBytesMax: 0,
        },
        { voters, entries, effects: { send: (message) => this.#send(message), sync: (...of) => this.#sync(...of) } },
      );
      this.#servers.set(id, server);
      this.#heartbeat(server);
      this.#tick(server, randomFloat(this.#random) * tickMs);
    }
  }

  run(): ElectionTrial {
    for (;;) {
      const event = this.#take();
      this.#nowMs = event.atMs;
      if (this.#nowMs > giveUpMs) return { electedMs: null, messages: this.#messages, winner: null };
      event.run();
      for (const server of this.#servers.values()) {
        if (server.raft.status().role !== 'leader') continue;
        return { electedMs: this.#nowMs - this.#crashAtMs, messages: this.#messages, winner: server.id };
      }
    }
  }

  #heartbeat(server: VirtualServer): void {
    const commit = logIndex(commonEntries);
    server.raft.step({ kind: 'heartbeat', from: this.#leader, to: server.id, term: term(1), commit, round: 1 });
    server.run();
  }

  #tick(server: VirtualServer, afterMs: number): void {
    this.#after(afterMs, () => {
      server.raft.tick();
      server.run();
      this.#tick(server, tickMs);
    });
  }

  #send(message: Message): void {
    const isVote = voteKinds.has(message.kind);
    if (isVote) this.#messages++;
    const receiver = this.#servers.get(message.to);
    // To the leader that is gone.
    if (receiver === undefined) return;
    this.#after(delayMs(this.#random, networkDelayMs), () => {
      receiver.raft.step(message);
      receiver.run();
    });
  }

  #sync(server: VirtualServer, done: () => void): void {
    const startMs = Math.max(this.#nowMs, this.#diskFreeMs.get(server) ?? 0);
    const endMs = startMs + delayMs(this.#random, syncDelayMs);
    this.#diskFreeMs.set(server, endMs);
    this.#after(endMs - this.#nowMs, () => {
      done();
      server.run();
    });
  }

  #after(ms: number, run: () => void): void {
    const event = { atMs: this.#nowMs + ms, order: this.#order++, run };
    let index = this.#events.length;
    while (index > 0 && (this.#events[index - 1] as Event).atMs < event.atMs) index--;
    // Latest first, so that the next one is taken from the end.
    this.#events.splice(index, 0, event);
  }

  #take(): Event {
    const event = this.#events.pop();
    if (event === undefined) throw new Error('nothing is left to happen');
    return event;
  }
}

function entriesOf(count: number): Entry[] {
  return Array.from({ length: count }, (_, i) => ({
    index: logIndex(i + 1),
    term: term(1),
    kind: 'normal',
    data: emptyBytes,
  }));
}
