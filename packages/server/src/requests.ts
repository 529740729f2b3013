import { assertPresent, NumberTable } from '@skerry/base';
import type { Answer, ClientRequest, Effects, RequestHandle } from '@skerry/replica';

/** Whoever asked. `tag` is what the asker gave with the request, so that one listener can serve many requests. */
export interface Asker {
  onAnswer(tag: number, answer: Answer): void;
}

/** Where requests go: the turn loop. */
export interface RequestTarget {
  request(handle: RequestHandle, request: ClientRequest): void;
  cancel(handle: RequestHandle): void;
  watchReady(handle: RequestHandle): void;
}

interface OpenRequest {
  readonly asker: Asker;
  readonly tag: number;
}

/** Gives each request of this node its handle and brings the answers back to whoever asked. */
export class OpenRequests {
  readonly #target: RequestTarget;
  readonly #open = new NumberTable<OpenRequest>();
  /** Handles are not reused: 2^53 of them outlast the process. */
  #lastHandle: RequestHandle = 0;

  constructor(target: RequestTarget) {
    this.#target = target;
  }

  get count(): number {
    return this.#open.size;
  }

  open(asker: Asker, tag: number, request: ClientRequest): RequestHandle {
    const handle = ++this.#lastHandle;
    this.#open.set(handle, { asker, tag });
    this.#target.request(handle, request);
    return handle;
  }

  /** No answer comes any more. */
  cancel(handle: RequestHandle): void {
    if (this.#open.delete(handle)) this.#target.cancel(handle);
  }

  /** Whoever watches has room for the next page of the current state, which comes only then. */
  watchReady(handle: RequestHandle): void {
    if (this.#open.has(handle)) this.#target.watchReady(handle);
  }

  deliver(answers: Effects['answers']): void {
    for (const { handle, answer } of answers) {
      const open = this.#open.get(handle);
      // Cancelled in the same turn in which the replica answered.
      if (open === undefined) continue;
      if (answer.kind !== 'watch') this.#open.delete(handle);
      open.asker.onAnswer(open.tag, answer);
    }
  }

  /** Asks once; `cancel` settles nothing, so a caller that gives up must not await the promise. */
  ask(request: ClientRequest): { readonly answer: Promise<Answer>; readonly cancel: () => void } {
    let settle: ((answer: Answer) => void) | null = null;
    const answer = new Promise<Answer>((resolve) => {
      settle = resolve;
    });
    const resolve = assertPresent<(answer: Answer) => void>(settle, 'a promise runs its executor at once');
    const handle = this.open({ onAnswer: (_, given) => resolve(given) }, 0, request);
    return { answer, cancel: () => this.cancel(handle) };
  }
}
