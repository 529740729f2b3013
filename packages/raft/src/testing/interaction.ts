import { nodeId, utf8Encode } from '@skerry/base';
import { describeMessage, logIndex, term, type MemberChange, type Message, type ProposeResult } from '../index.ts';
import { Group, logOf } from './group.ts';

/**
 * Runs a text of blocks `commands`, `----`, `expected output`, separated by blank lines, and returns the text with
 * the output there was. A line that starts with `#` is a comment.
 */
export function runInteraction(text: string): string {
  const session = new Session();
  const blocks = text.trim().split(/\n\s*\n/);
  return `${blocks.map((block) => session.block(block)).join('\n\n')}\n`;
}

class Session {
  #group = new Group();

  block(block: string): string {
    const input = block.split('\n----')[0] as string;
    const commands = input.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    if (commands.length === 0) return block;
    const output = commands.flatMap((line) => this.#command(line));
    return [input, '----', ...(output.length === 0 ? ['ok'] : output)].join('\n');
  }

  /** One command; the lines that it prints. */
  #command(line: string): string[] {
    const [name, ...args] = line.split(' ') as [string, ...string[]];
    const [first = '', second = ''] = args;
    switch (name) {
      case 'group':
        return this.#create(args);
      case 'campaign':
        return this.#silently(() => this.#raft(first).campaign());
      case 'tick':
        return this.#tick(first, args.slice(1));
      case 'propose':
        return [result(this.#raft(first).propose(utf8Encode(second)))];
      case 'config':
        return [result(this.#raft(first).proposeConfig(args.slice(1).map(memberChange)))];
      case 'transfer':
        return [this.#raft(first).transferLeadership(nodeId(second)) ? 'begun' : 'refused'];
      case 'read':
        return this.#silently(() => this.#raft(first).readIndex(Number(second)));
      case 'lost':
        return this.#silently(() => this.#raft(first).leaderLost());
      case 'unhealthy':
        return this.#silently(() => this.#raft(first).setStorageHealthy(false));
      case 'healthy':
        return this.#silently(() => this.#raft(first).setStorageHealthy(true));
      case 'crash':
        return this.#silently(() => this.#group.node(first).crash());
      case 'restart':
        return this.#silently(() => this.#group.node(first).restart());
      case 'compact':
        return this.#silently(() => this.#group.node(first).compact(logIndex(Number(second))));
      case 'isolate':
        return this.#silently(() => this.#group.isolate(...args));
      case 'heal':
        return this.#silently(() => this.#group.heal());
      case 'ack':
        return this.#acknowledge(first, second, Number(args[2]));
      case 'settle':
        return this.#settle();
      case 'run':
        return this.#run(first);
      case 'sync':
        return this.#sync(first);
      case 'log':
        return [...this.#group.nodes.values()].map((node) => `${node.id}: ${logOf(node)}`);
      case 'status':
        return (args.length > 0 ? args : [...this.#group.nodes.keys()]).flatMap((id) =>
          this.#raft(id).describe().split('\n'),
        );
      case 'reads':
        return this.#group.node(first).readStates.map((state) => `${state.context}: ${state.index ?? 'failed'}`);
      default:
        throw new Error(`no such command: ${line}`);
    }
  }

  /** `group a b c learners d spares e logs a=1,1,2 b=1 term 7`: a term for all nodes. */
  #create(args: readonly string[]): string[] {
    const lists: Record<string, string[]> = { voters: [], learners: [], spares: [], logs: [], term: [] };
    let list = 'voters';
    for (const arg of args) {
      if (arg in lists) list = arg;
      else lists[list]?.push(arg);
    }
    const logs = Object.fromEntries(
      (lists['logs'] ?? []).map((text) => {
        const [id, terms] = text.split('=') as [string, string];
        return [id, terms.split(',').map(Number)];
      }),
    );
    this.#group = new Group({
      voters: lists['voters'] ?? [],
      learners: lists['learners'] ?? [],
      spares: lists['spares'] ?? [],
      logs,
    });
    const all = Number(lists['term']?.[0] ?? 0);
    if (all === 0) return [];
    for (const node of this.#group.nodes.values()) {
      node.storage.hardState = { ...node.storage.hardState, term: term(all) };
      node.restart();
    }
    return [];
  }

  #tick(count: string, ids: readonly string[]): string[] {
    return this.#watching(() => this.#group.tick(Number(count), ids.length > 0 ? ids : undefined));
  }

  #settle(): string[] {
    return this.#watching(() => this.#group.settle());
  }

  /** The messages delivered meanwhile. */
  #watching(action: () => void): string[] {
    this.#group.delivered = [];
    action();
    return this.#group.delivered.map(describeMessage);
  }

  /** What the node wants done, without doing any of it but handing out: nothing becomes durable or is delivered. */
  #run(id: string): string[] {
    const node = this.#group.node(id);
    node.outputs = [];
    node.run();
    return node.outputs.flatMap(({ persist, messages, messagesAfterPersist, committed }) => [
      ...(persist === null
        ? []
        : [
            `persist ${persist.id}: ${[
              ...(persist.hardState === null
                ? []
                : [
                    `term ${persist.hardState.term} vote ${persist.hardState.vote ?? '-'} commit ${persist.hardState.commit}`,
                  ]),
              ...(persist.snapshot === null ? [] : [`snapshot ${persist.snapshot.index}/${persist.snapshot.term}`]),
              ...persist.entries.map((entry) => `${entry.index}/${entry.term}`),
            ].join(', ')}`,
          ]),
      ...messages.map((message) => `now   ${describeMessage(message)}`),
      ...messagesAfterPersist.map((message) => `after ${describeMessage(message)}`),
      ...committed.map((entry) => `apply ${entry.index}/${entry.term}`),
    ]);
  }

  #sync(id: string): string[] {
    const node = this.#group.node(id);
    node.sync();
    return [];
  }

  /** An acknowledgement that `from` did not send itself. */
  #acknowledge(from: string, to: string, index: number): string[] {
    const { term: leaderTerm } = this.#raft(to).status();
    const message: Message = {
      kind: 'appendResponse',
      from: nodeId(from),
      to: nodeId(to),
      term: leaderTerm,
      rejected: false,
      index: logIndex(index),
      hintIndex: logIndex(0),
      hintTerm: term(0),
    };
    this.#raft(to).step(message);
    return [];
  }

  #silently(action: () => void): string[] {
    action();
    return [];
  }

  #raft(id: string): ReturnType<Group['node']>['raft'] {
    return this.#group.node(id).raft;
  }
}

function result(answer: ProposeResult): string {
  return answer.ok
    ? `proposed ${answer.index}/${answer.term}`
    : `refused: ${answer.reason}, leader ${answer.leader ?? '-'}`;
}

/** `+a` adds a voter, `~a` a learner, `-a` removes. */
function memberChange(text: string): MemberChange {
  const kinds: Readonly<Record<string, MemberChange['kind']>> = { '+': 'addVoter', '~': 'addLearner', '-': 'remove' };
  const kind = kinds[text.charAt(0)];
  if (kind === undefined) throw new Error(`not a change: ${text}`);
  return { kind, id: nodeId(text.slice(1)) };
}
