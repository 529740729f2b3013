import type { NodeId } from '@skerry/base';
import { behindOf, readAnswer, timedOutRead } from './answers.ts';
import type { Asking } from './asking.ts';
import { LeaderReads } from './leader-reads.ts';
import type { Partition } from './partition.ts';
import type { PeerMessage } from './peer-message.ts';
import type { Answer, ClientRequest } from './requests.ts';
import type { Turn } from './turn.ts';
import { ViewReads } from './view-reads.ts';

type KeyRead = Extract<ClientRequest['operation'], { kind: 'get' | 'read' }>;
type KeyReadMessage = Extract<PeerMessage, { kind: 'viewAsk' | 'view' | 'readAsk' | 'read' }>;

/** Reads of one key: of the local view, of several nodes' views, or linearizable; each after what its session has seen. */
export class KeyReads {
  readonly #turn: Turn;
  readonly #views: ViewReads;
  readonly #leaderReads: LeaderReads;

  constructor(turn: Turn) {
    this.#turn = turn;
    this.#views = new ViewReads(turn);
    this.#leaderReads = new LeaderReads(turn);
  }

  /** The answer, where nothing has to be waited for; else null. */
  atOnce(partition: Partition, operation: KeyRead, { after }: Pick<ClientRequest, 'after'>): Answer | null {
    if (after !== undefined || operation.consistent || (operation.r ?? 1) > 1) return null;
    return readAnswer(partition.shownView(operation.key), typeOf(operation));
  }

  read(
    partition: Partition,
    operation: KeyRead,
    { timeoutMs, after, asking }: Pick<ClientRequest, 'timeoutMs' | 'after'> & { readonly asking: Asking },
  ): void {
    const deadline = (): void => {
      if (timeoutMs !== null) this.#turn.at(this.#turn.now.monoMs + timeoutMs, () => asking.answer(timedOutRead));
    };
    if (after === undefined) {
      this.#start(partition, operation, { timeoutMs, asking });
      if (operation.consistent) deadline();
      return;
    }
    const late = this.#answerWhenLate(partition, operation, asking);
    partition.causality.wait(after, timeoutMs, {
      asking,
      run: (behind) => {
        if (behind) return asking.answer(late());
        this.#start(partition, operation, { timeoutMs, asking });
        deadline();
      },
    });
  }

  /**
   * What is told at the deadline if what the session saw has not come by then. It may never come, of a region that is lost;
   * the region of this node is owed what was promised all the same: a consistent read is no local one, however late.
   */
  #answerWhenLate(partition: Partition, operation: KeyRead, asking: Asking): () => Answer {
    if (!operation.consistent) return () => behindOf(readAnswer(partition.shownView(operation.key), typeOf(operation)));
    let linearizable: Answer = timedOutRead;
    const meanwhile: Asking = {
      isOpen: asking.isOpen,
      answer: (answer) => {
        linearizable = behindOf(answer);
      },
    };
    this.#start(partition, operation, { timeoutMs: null, asking: meanwhile });
    return () => linearizable;
  }

  /** False: the message is not about reads. */
  receive<M extends PeerMessage>(partition: Partition, from: NodeId, message: M): message is M & KeyReadMessage {
    switch (message.kind) {
      case 'viewAsk':
        this.#views.asked(partition, from, message);
        return true;
      case 'view':
        this.#views.answered(partition, from, message);
        return true;
      case 'readAsk':
        this.#leaderReads.asked(partition, from, message);
        return true;
      case 'read':
        this.#leaderReads.answered(partition, message);
        return true;
      default:
        return false;
    }
  }

  #start(
    partition: Partition,
    operation: KeyRead,
    { timeoutMs, asking }: { timeoutMs: number | null; asking: Asking },
  ): void {
    const type = typeOf(operation);
    const { key } = operation;
    if (!operation.consistent) {
      const copies = operation.r ?? 1;
      if (copies <= 1) asking.answer(readAnswer(partition.shownView(key), type));
      else this.#views.read(partition, { key, type, copies, timeoutMs, asking });
      return;
    }
    if (this.#turn.storageFull && !partition.isLeader && partition.pending.ofKey(key).length === 0) {
      this.#leaderReads.read(partition, { key, type, asking });
      return;
    }
    // No getter in here: V8 gives each object with one a shape of its own, which stays until the next full collection.
    const read = {
      isOpen: asking.isOpen,
      serve: () => asking.answer(readAnswer(partition.state.read(key)?.value ?? null, type)),
    };
    const held = partition.pending.ofKey(key);
    if (held.length === 0) partition.linearize(read);
    else partition.gates.wait(held, () => partition.linearize(read), asking.isOpen);
  }
}

function typeOf(operation: KeyRead): Extract<KeyRead, { kind: 'read' }>['type'] | null {
  return operation.kind === 'read' ? operation.type : null;
}
