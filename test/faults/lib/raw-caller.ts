import { once } from 'node:events';
import {
  decodeServerFrame,
  encodeFrame,
  protocolVersion,
  type AnswerMessage,
  type RequestMessage,
  type WelcomeMessage,
} from '@skerry/protocol';
import { WebSocket } from 'ws';

type Answer = AnswerMessage['answer'];

/** One connection to one node that says just what it is told to, under whatever name: the client would never do so. */
export class RawCaller {
  readonly #socket: WebSocket;
  readonly #open = new Map<number, (answer: Answer) => void>();
  #last = 0;
  #welcome: (welcome: WelcomeMessage) => void = () => {};
  #lost: (error: Error) => void = () => {};
  /** Rejects when the connection ends. */
  readonly #ended: Promise<never>;

  private constructor(url: string) {
    this.#socket = new WebSocket(url, { perMessageDeflate: false });
    this.#ended = new Promise((_, reject) => (this.#lost = reject));
    this.#ended.catch(() => {});
    this.#socket.on('error', (error) => this.#lost(error));
    this.#socket.on('close', (code, reason) => this.#lost(new Error(`${url} closed: ${code} ${reason.toString()}`)));
    this.#socket.on('message', (data) => this.#receive(data as Buffer));
  }

  static async connect(url: string): Promise<{ readonly caller: RawCaller; readonly welcome: WelcomeMessage }> {
    const caller = new RawCaller(url);
    const welcomed = new Promise<WelcomeMessage>((resolve) => (caller.#welcome = resolve));
    await Promise.race([once(caller.#socket, 'open'), caller.#ended]);
    caller.#socket.send(encodeFrame([{ kind: 'hello', protocolVersion, cluster: null }]));
    return { caller, welcome: await Promise.race([welcomed, caller.#ended]) };
  }

  /** Blocking unless told; rejects when the connection ends before the answer. */
  ask(request: Pick<RequestMessage, 'operation' | 'id'> & { readonly timeoutMs?: number }): Promise<Answer> {
    const requestId = ++this.#last;
    const { timeoutMs = null, ...rest } = request;
    const answered = new Promise<Answer>((resolve) => this.#open.set(requestId, resolve));
    this.#socket.send(encodeFrame([{ kind: 'request', requestId, timeoutMs, ...rest }]));
    return Promise.race([answered, this.#ended]);
  }

  close(): void {
    this.#socket.terminate();
  }

  #receive(data: Buffer): void {
    for (const message of decodeServerFrame(data)) {
      if (message.kind === 'welcome') this.#welcome(message);
      if (message.kind === 'goodbye') this.#lost(new Error(`goodbye: ${message.code} ${message.detail}`));
      if (message.kind === 'answer') {
        this.#open.get(message.requestId)?.(message.answer);
        this.#open.delete(message.requestId);
      }
    }
  }
}

/** A client id that is born now, as the node of that welcome sees it. */
export function newClientId({ nowMs }: WelcomeMessage): string {
  const digits = Array.from({ length: 20 }, () => Math.floor(Math.random() * 16).toString(16));
  return nowMs.toString(16).padStart(12, '0') + digits.join('');
}
