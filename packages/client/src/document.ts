import { equalBytes, randomHex, randomInt, type Random } from '@skerry/base';
import type { DocumentEngine, TextEdits } from '@skerry/crdt';
import { checkHistory, documentEngine, readDocument } from './document-engine.ts';
import { SkerryError } from './errors.ts';
import { follow, viewOf, type TypedCalls, type ViewOf } from './typed.ts';
import type { Followed, FollowOptions, ReadOptions, Response, UpdateOptions, WriteResponse } from './types.ts';
import { responseOf, type KeyResult } from './values.ts';

const timeoutMsDefault = 1_000;
/** Chunks at which an editor compacts: drawn between these for each time, so that not all editors do it at once. */
const compactChunksMin = 32;
const compactChunksMax = 96;
const compactTimeoutMs = 5_000;
const compactPauseMs = 30_000;

/** What an editor of a document remembers between its changes. One per key and client. */
export class DocumentEditor {
  readonly #random: Random;
  #actor: string;
  /** The last change that was made as `#actor`. */
  #last: Uint8Array | null = null;
  /** A compaction of this editor that holds `#last`. */
  #holder: Uint8Array | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #compactAt: number;
  #compactDueMs = 0;
  #compacting = false;

  constructor(random: Random) {
    this.#random = random;
    this.#actor = randomHex(random, 8);
    this.#compactAt = randomInt(random, compactChunksMin, compactChunksMax);
  }

  /** One change after the other: two at once would use the actor twice. */
  inTurn<R>(run: () => Promise<R>): Promise<R> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => {});
    return result;
  }

  /**
   * As whom to edit `chunks`. The same actor keeps histories small (2000 changes: 5 KB, as 2000 actors 32 KB), but it
   * counts its changes: where its last one is not among the chunks, another one could get the same number.
   */
  actorFor(chunks: readonly Uint8Array[]): string {
    if (this.#last !== null && !this.#isIn(chunks)) {
      this.#actor = randomHex(this.#random, 8);
      this.#last = null;
      this.#holder = null;
    }
    return this.#actor;
  }

  changed(bytes: Uint8Array): void {
    this.#last = bytes;
    this.#holder = null;
  }

  /** Whether to compact now; then `compacted` follows. */
  wantsCompaction(chunkCount: number, nowMs: number): boolean {
    if (this.#compacting || chunkCount < this.#compactAt || nowMs < this.#compactDueMs) return false;
    this.#compacting = true;
    this.#compactDueMs = nowMs + compactPauseMs;
    return true;
  }

  /** `bytes` holds what `chunks` did; null: nothing came of it. */
  compacted(bytes: Uint8Array | null, chunks: readonly Uint8Array[]): void {
    this.#compacting = false;
    if (bytes === null) return;
    this.#compactDueMs = 0;
    this.#compactAt = randomInt(this.#random, compactChunksMin, compactChunksMax);
    if (this.#isIn(chunks)) this.#holder = bytes;
  }

  #isIn(chunks: readonly Uint8Array[]): boolean {
    return chunks.some((chunk) => [this.#last, this.#holder].some((own) => own !== null && equalBytes(chunk, own)));
  }
}

/**
 * An Automerge document (JSON, text included; DESIGN section 5): concurrent changes of all regions are merged. Automerge
 * is loaded with the first document that is read. What a load costs stands in docs/client.md.
 */
export class DocumentOf<T extends object> {
  readonly key: string;
  readonly #calls: TypedCalls;
  readonly #editor: DocumentEditor;

  constructor(calls: TypedCalls, key: string, editor: DocumentEditor) {
    this.key = key;
    this.#calls = calls;
    this.#editor = editor;
  }

  async get(options: ReadOptions = {}): Promise<Response<T>> {
    const answer = await this.#calls.read(this.key, 'document', options);
    const view = viewOf(answer, 'document');
    return responseOf(answer, view === null ? null : ((await readDocument(view)) as T));
  }

  /**
   * Reads the document, edits it, and sends the change, which is merged with what others change meanwhile. A document that
   * is not there begins empty. The answer has the document as `edit` left it. An edit that changes nothing writes nothing.
   * `edit` must not wait for anything; its draft is of Automerge and ends with it. Assigning a text replaces it as a whole;
   * `text` changes parts of one, which merge with what others change in it.
   */
  change(edit: (draft: T, text: TextEdits) => void, options: UpdateOptions = {}): Promise<Response<T>> {
    return this.#editor.inTurn(() => this.#change(edit, options));
  }

  /**
   * Takes in Automerge changes that were made elsewhere: a conflict's loser, a file. Rejects with BAD_REQUEST where they are
   * not Automerge's or build on changes that the document lacks. Changes that it has are not written again.
   */
  apply(changes: Uint8Array, options: UpdateOptions = {}): Promise<WriteResponse> {
    return this.#editor.inTurn(async () => {
      const deadline = this.#deadlineOf(options);
      const { view, answer } = await this.#read(options);
      if (!answer.valid) return responseOf<never>({ ...answer, outcome: 'notApplied' }, null);
      const chunks = view?.chunks ?? [];
      if (view !== null) checkHistory(view);
      const counted = inspect(await documentEngine(), changes, chunks);
      if (counted.changes === 0) return responseOf<never>({ ...answer, outcome: 'applied' }, null);
      return responseOf<never>(
        await this.#send({ bytes: changes, operations: counted.operations }, chunks.length, deadline),
        null,
      );
    });
  }

  /** Puts one chunk in place of all chunks. Changes do this by themselves now and then. */
  async compact(options: UpdateOptions = {}): Promise<WriteResponse> {
    const deadline = this.#deadlineOf(options);
    const { view, answer } = await this.#read(options);
    if (view === null || view.chunks.length < 2)
      return responseOf<never>({ ...answer, outcome: answer.valid ? 'applied' : 'notApplied' }, null);
    checkHistory(view);
    const made = (await documentEngine()).compact(view.chunks);
    const written = await this.#calls.update(
      this.key,
      { type: 'document', action: 'compact', ...made, context: view.context },
      deadline(),
    );
    this.#editor.compacted(written.valid ? made.bytes : null, view.chunks);
    return responseOf<never>(written, null);
  }

  /** The document now, and after each change. */
  watch(options: FollowOptions = {}): AsyncGenerator<Followed<T>, void, undefined> {
    return follow(
      { calls: this.#calls, key: this.key, type: 'document' },
      options,
      async (view) => (await readDocument(view)) as T,
    );
  }

  async #change(edit: (draft: T, text: TextEdits) => void, options: UpdateOptions): Promise<Response<T>> {
    const deadline = this.#deadlineOf(options);
    const { view, answer } = await this.#read(options);
    if (!answer.valid) return responseOf<T>({ ...answer, outcome: 'notApplied' }, null);
    const chunks = view?.chunks ?? [];
    if (view !== null) checkHistory(view);
    const engine = await documentEngine();
    const { change, value } = engine.change(chunks, this.#editor.actorFor(chunks), (draft, text) => {
      const result: unknown = edit(draft as T, text);
      if (result instanceof Promise) throw new TypeError('an edit of a document must not be async');
    });
    if (change === null) return responseOf({ ...answer, outcome: 'applied' }, value as T);
    this.#editor.changed(change.bytes);
    const written = await this.#send(change, chunks.length, deadline);
    if (written.valid) this.#compactSoon(chunks.length + 1);
    return responseOf(written, written.valid ? (value as T) : null);
  }

  async #send(
    change: { readonly bytes: Uint8Array; readonly operations: number },
    chunkCount: number,
    deadline: () => UpdateOptions,
  ): Promise<KeyResult> {
    const update = (): Promise<KeyResult> =>
      this.#calls.update(this.key, { type: 'document', action: 'change', ...change }, deadline());
    try {
      return await update();
    } catch (error) {
      // Too many chunks, or too many bytes as they are now: compacted it may fit.
      if (!(error instanceof SkerryError) || error.code !== 'LIMIT_EXCEEDED' || !error.definite || chunkCount < 2)
        throw error;
      await this.compact(deadline());
      return update();
    }
  }

  async #read({
    w: _,
    ...options
  }: UpdateOptions): Promise<{ readonly answer: KeyResult; readonly view: ViewOf<'document'> | null }> {
    const answer = await this.#calls.read(this.key, 'document', options);
    return { answer, view: viewOf(answer, 'document') };
  }

  /** Beside the caller's way: a compaction that fails is tried again later, and nothing depends on it. */
  #compactSoon(chunkCount: number): void {
    if (!this.#editor.wantsCompaction(chunkCount, this.#calls.host.nowMs())) return;
    this.compact({ blocking: false, timeoutMs: compactTimeoutMs }).then(
      () => {
        this.#editor.compacted(null, []);
      },
      () => {
        this.#editor.compacted(null, []);
      },
    );
  }

  /** The options of each step, with the time that is left. */
  #deadlineOf({ blocking = true, timeoutMs = timeoutMsDefault, ...options }: UpdateOptions): () => UpdateOptions {
    const endMs = this.#calls.host.nowMs() + timeoutMs;
    return () => ({
      ...options,
      blocking,
      ...(blocking ? {} : { timeoutMs: Math.max(0, endMs - this.#calls.host.nowMs()) }),
    });
  }
}

function inspect(
  engine: DocumentEngine,
  changes: Uint8Array,
  base: readonly Uint8Array[],
): ReturnType<DocumentEngine['inspect']> {
  try {
    return engine.inspect(changes, base);
  } catch (error) {
    throw new SkerryError({ code: 'BAD_REQUEST', detail: (error as Error).message });
  }
}
