import { partitionOf } from '@skerry/protocol';
import type { Answer, ClientRequest, WriteOperation } from '@skerry/replica';
import type { FastifyReply } from 'fastify';
import type { OpenRequests } from '../requests.ts';
import type { HttpSessions, HttpWrite } from './session.ts';

export interface AskingOptions {
  readonly requests: OpenRequests;
  readonly sessions: HttpSessions;
  readonly partitionCount: number;
  readonly countRequest: (operation: string) => void;
}

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

  /** `key` is one that the operation writes. */
  async write(
    reply: FastifyReply,
    operation: WriteOperation,
    options: { key: string; timeoutMs: number | null },
  ): Promise<Answer> {
    const partition = partitionOf(options.key, this.#options.partitionCount);
    const first = this.#options.sessions.begin(partition);
    const answer = await this.#attempt(reply, { operation, timeoutMs: options.timeoutMs, write: first });
    if (!(answer.kind === 'error' && answer.code === 'SESSION_EXPIRED' && answer.ticket === undefined)) return answer;
    // It was the only attempt, so nothing was applied.
    this.#options.sessions.expired(partition, first);
    const second = this.#options.sessions.begin(partition);
    return this.#attempt(reply, { operation, timeoutMs: options.timeoutMs, write: second });
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
