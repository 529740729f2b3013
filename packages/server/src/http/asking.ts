import { partitionOf } from '@skerry/protocol';
import type { Answer, ClientRequest, ReadOperation, Seen, WriteOperation } from '@skerry/replica';
import type { FastifyReply } from 'fastify';
import type { OpenRequests } from '../requests.ts';
import { CausalToken, sessionHeader } from './causal-token.ts';
import type { HttpSessions, HttpWrite } from './session.ts';

export interface AskingOptions {
  readonly requests: OpenRequests;
  readonly sessions: HttpSessions;
  readonly partitionCount: number;
  readonly countRequest: (operation: string) => void;
  /** What this node has applied. */
  readonly seen: () => Seen;
}

type KeyRead = Extract<ReadOperation, { kind: 'get' | 'read' }>;

/** Puts HTTP requests to the replica. A caller that goes away is not answered: its promise stays open and is forgotten. */
export class Asking {
  readonly #options: AskingOptions;

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  get requests(): OpenRequests {
    return this.#options.requests;
  }

  read(reply: FastifyReply, operation: ClientRequest['operation'], timeoutMs: number | null): Promise<Answer> {
    return this.#ask(reply, { operation, timeoutMs }, () => {});
  }

  /** Waits for what the caller's session has seen elsewhere. */
  async readKey(reply: FastifyReply, operation: KeyRead, timeoutMs: number | null): Promise<Answer> {
    const partition = partitionOf(operation.key, this.#options.partitionCount);
    const token = this.#token(reply);
    const after = token.after(partition);
    const request = { operation, timeoutMs, ...(after === null ? {} : { after }) };
    const answer = await this.#ask(reply, request, () => {});
    this.#tell(reply, token, { partition, answer });
    return answer;
  }

  /** `key` is one that the operation writes. */
  async write(
    reply: FastifyReply,
    operation: WriteOperation,
    options: { key: string; timeoutMs: number | null },
  ): Promise<Answer> {
    const partition = partitionOf(options.key, this.#options.partitionCount);
    const token = this.#token(reply);
    const answer = await this.#write(reply, operation, { partition, timeoutMs: options.timeoutMs });
    this.#tell(reply, token, { partition, answer });
    return answer;
  }

  async #write(
    reply: FastifyReply,
    operation: WriteOperation,
    { partition, timeoutMs }: { partition: number; timeoutMs: number | null },
  ): Promise<Answer> {
    const first = this.#options.sessions.begin(partition);
    const answer = await this.#attempt(reply, { operation, timeoutMs, write: first });
    if (!(answer.kind === 'error' && answer.code === 'SESSION_EXPIRED' && answer.ticket === undefined)) return answer;
    // It was the only attempt, so nothing was applied.
    this.#options.sessions.expired(partition, first);
    const second = this.#options.sessions.begin(partition);
    return this.#attempt(reply, { operation, timeoutMs, write: second });
  }

  async #attempt(
    reply: FastifyReply,
    { operation, timeoutMs, write }: { operation: WriteOperation; timeoutMs: number | null; write: HttpWrite },
  ): Promise<Answer> {
    const request: ClientRequest = { operation, id: write.id, timeoutMs };
    const answer = await this.#ask(reply, request, () => write.settle());
    const ticket = 'ticket' in answer ? answer.ticket : undefined;
    if (ticket === undefined) write.settle();
    else write.keep(ticket);
    return answer;
  }

  async resolve(reply: FastifyReply, ticket: string, timeoutMs: number | null): Promise<Answer> {
    const answer = await this.read(reply, { kind: 'resolve', ticket }, timeoutMs);
    if (!('ticket' in answer && answer.ticket !== undefined)) this.#options.sessions.resolved(ticket);
    return answer;
  }

  #token({ request }: FastifyReply): CausalToken {
    const header = request.headers[sessionHeader];
    return CausalToken.parse(typeof header === 'string' ? header : '', this.#options.partitionCount);
  }

  /** What the caller sees rests on what the node has applied by now, and perhaps on its own pending write. */
  #tell(reply: FastifyReply, token: CausalToken, { partition, answer }: { partition: number; answer: Answer }): void {
    const seen = this.#options.seen().partitions.find((candidate) => candidate.partition === partition);
    if (answer.kind === 'key') token.wrote(answer);
    if (seen !== undefined) token.fold(seen);
    reply.header(sessionHeader, token.toString());
  }

  #ask(reply: FastifyReply, request: ClientRequest, onGone: () => void): Promise<Answer> {
    const { requests, countRequest } = this.#options;
    countRequest(request.operation.kind);
    const { answer, cancel } = requests.ask(request);
    const gone = (): void => {
      cancel();
      onGone();
    };
    reply.raw.once('close', gone);
    return answer.finally(() => reply.raw.off('close', gone));
  }
}
