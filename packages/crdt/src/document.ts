import { DecodeError, type ByteReader, type ByteWriter } from '@skerry/base';
import { CausalContext } from './context.ts';
import { compareDots, dotToText, type Dot } from './dot.ts';
import {
  decodeDots,
  decodeStore,
  encodeDots,
  encodeStore,
  mergeStores,
  sortedDots,
  sortedEntries,
  writeDelta,
  type DotEntry,
  type DotStore,
  type PayloadCodec,
} from './dot-store.ts';
import { decodeLifetime, encodeLifetime, mergeLifetimes, written, type Lifetime } from './lifetime.ts';
import { checkLimit, type ValueLimits } from './limits.ts';
import type { Stamp } from './stamp.ts';

/** Automerge bytes: one or several changes, or a saved document. */
export interface DocumentChunk {
  readonly bytes: Uint8Array;
  /** Automerge operations in `bytes`, as `DocumentEngine.inspect` counts them. */
  readonly operations: number;
  /** The generations that the chunk builds on, in order; a first chunk is its own generation. */
  readonly generations: readonly Dot[];
}

/**
 * An Automerge document (Kleppmann and Beresford 2017), kept as the set of chunks that make it up. Automerge's own
 * merge is the union of changes, so merging two states is a union of chunks and needs neither Automerge nor its
 * WebAssembly; only who shows, edits or compacts a document loads them (`DocumentEngine`).
 *
 * A compaction is a write like any other: one chunk, in place of those that it contains. Two at once leave two chunks
 * that overlap, which Automerge loads as one history.
 *
 * A delete names the generations it saw and ends them: a concurrent change of an ended generation does not survive,
 * because what it builds on is gone. It is discarded into the conflict ledger. A document that is created again, or
 * was created elsewhere at the same time, is another generation and lives.
 */
export interface DocumentState extends Lifetime {
  readonly type: 'document';
  readonly chunks: DotStore<DocumentChunk>;
  readonly endedGenerations: CausalContext;
}

export interface DocumentOperation {
  readonly type: 'document';
  readonly chunk: DocumentChunk;
  /** Chunks that a compaction contains; empty for changes. */
  readonly replaces: readonly Dot[];
}

export type DocumentRequest =
  | { readonly type: 'document'; readonly action: 'change'; readonly bytes: Uint8Array; readonly operations: number }
  | {
      readonly type: 'document';
      readonly action: 'compact';
      readonly bytes: Uint8Array;
      readonly operations: number;
      /** The dots of the chunks that `bytes` was made from (see `documentChunks`). */
      readonly context: CausalContext;
    };

const chunkCodec: PayloadCodec<DocumentChunk> = {
  encode(w, chunk) {
    w.bytes(chunk.bytes).varint(chunk.operations);
    encodeDots(w, chunk.generations);
  },
  decode(r) {
    const bytes = r.bytes();
    const operations = r.varint();
    const generations = decodeDots(r);
    if (generations.length === 0) throw new DecodeError('a document chunk has no generation');
    return { bytes, operations, generations };
  },
};

/**
 * The operation for `request` under `dot`; null to compact what is not there any more.
 * @throws LimitError if the document would exceed its bytes, chunks (time to compact) or history.
 */
export function prepareDocument(
  state: DocumentState | null,
  request: DocumentRequest,
  { dot, limits }: { dot: Dot; limits: ValueLimits },
): DocumentOperation | null {
  const living = state === null ? [] : sortedEntries(state.chunks);
  const compacts = request.action === 'compact' ? request.context : CausalContext.empty();
  const replaces = living.filter((entry) => compacts.has(entry.dot)).map((entry) => entry.dot);
  if (request.action === 'compact' && replaces.length === 0) return null;
  const stays = living.filter((entry) => !compacts.has(entry.dot)).map((entry) => entry.payload);
  const sum = (of: (chunk: { bytes: Uint8Array; operations: number }) => number): number =>
    stays.reduce((total, chunk) => total + of(chunk), of(request));
  checkLimit(
    limits,
    'valueBytesMax',
    sum((chunk) => chunk.bytes.length),
  );
  checkLimit(
    limits,
    'documentOperationsMax',
    sum((chunk) => chunk.operations),
  );
  checkLimit(limits, 'documentChunksMax', stays.length + 1);
  const generations = living.length === 0 ? [dot] : generationsOf(living);
  return { type: 'document', chunk: { bytes: request.bytes, operations: request.operations, generations }, replaces };
}

/** What a delete of `state` has to name. */
export function observedGenerations(state: DocumentState): readonly Dot[] {
  return generationsOf([...state.chunks.entries.values()]);
}

function generationsOf(entries: readonly DotEntry<DocumentChunk>[]): readonly Dot[] {
  const unique = new Map<string, Dot>();
  for (const { payload } of entries) for (const dot of payload.generations) unique.set(dotToText(dot), dot);
  return [...unique.values()].sort(compareDots);
}

export function documentDelta(op: DocumentOperation, dot: Dot, stamp: Stamp): DocumentState {
  return {
    type: 'document',
    ...written(stamp),
    chunks: writeDelta(dot, op.chunk, op.replaces),
    endedGenerations: CausalContext.empty(),
  };
}

/** The merge, and the chunks that it discarded: those of ended generations that the delete had not seen. */
export function mergeDocuments(
  a: DocumentState,
  b: DocumentState,
): { state: DocumentState; discarded: readonly DotEntry<DocumentChunk>[] } {
  const endedGenerations = a.endedGenerations.clone();
  endedGenerations.merge(b.endedGenerations);
  const isEnded = ({ payload }: DotEntry<DocumentChunk>): boolean =>
    payload.generations.some((dot) => endedGenerations.has(dot));
  const merged = mergeStores(a.chunks, b.chunks, chunkCodec);
  const chunks = {
    entries: new Map([...merged.entries].filter(([, entry]) => !isEnded(entry))),
    context: merged.context,
  };
  const unseen = (from: DocumentState, by: DocumentState): DotEntry<DocumentChunk>[] =>
    sortedEntries(from.chunks).filter((entry) => isEnded(entry) && !by.chunks.context.has(entry.dot));
  return {
    state: { type: 'document', ...mergeLifetimes(a, b), chunks, endedGenerations },
    discarded: [...unseen(a, b), ...unseen(b, a)],
  };
}

/**
 * `part` as it arrives where the dots in `applied` have been and `state` is what is left of the document: a generation of which
 * the first chunk was here, and `state` does not know it, was ended by a delete that is forgotten, or that came with the state of
 * another replica for which nothing of it was left. `gone`: chunks that build on one. (One that `state` knows without a chunk of it may
 * have gone with a compaction that held another, which was ended: changes to it live.)
 */
export function arrivingDocument(
  part: DocumentState,
  { state, applied }: { state: DocumentState | null; applied: CausalContext },
): { part: DocumentState; gone: readonly DotEntry<DocumentChunk>[] } {
  const living = CausalContext.of(state === null ? [] : observedGenerations(state));
  const isEnded = (dot: Dot): boolean =>
    applied.has(dot) && !living.has(dot) && state?.chunks.context.has(dot) !== true;
  const gone = sortedEntries(part.chunks).filter(({ payload }) => payload.generations.some(isEnded));
  if (gone.length === 0) return { part, gone };
  const entries = new Map(part.chunks.entries);
  for (const { dot } of gone) entries.delete(dotToText(dot));
  const endedGenerations = part.endedGenerations.clone();
  for (const { payload } of gone) for (const dot of payload.generations) if (isEnded(dot)) endedGenerations.add(dot);
  return { part: { ...part, chunks: { entries, context: part.chunks.context }, endedGenerations }, gone };
}

/** A value that holds one chunk alone, as the conflict ledger keeps it. */
export function loneChunk({ dot, payload }: DotEntry<DocumentChunk>, stamp: Stamp): DocumentState {
  return documentDelta({ type: 'document', chunk: payload, replaces: [] }, dot, stamp);
}

/** What a `DocumentEngine` is given, and the context that a compaction of exactly this names. */
export function documentChunks(state: DocumentState): {
  chunks: readonly Uint8Array[];
  context: CausalContext;
  operations: number;
} {
  const entries = sortedEntries(state.chunks);
  return {
    chunks: entries.map(({ payload }) => payload.bytes),
    context: CausalContext.of(sortedDots(state.chunks)),
    operations: entries.reduce((sum, { payload }) => sum + payload.operations, 0),
  };
}

export function encodeDocument(w: ByteWriter, state: DocumentState): void {
  encodeLifetime(w, state);
  encodeStore(w, state.chunks, chunkCodec);
  state.endedGenerations.encode(w);
}

export function decodeDocument(r: ByteReader): DocumentState {
  const lifetime = decodeLifetime(r);
  const chunks = decodeStore(r, chunkCodec);
  return { type: 'document', ...lifetime, chunks, endedGenerations: CausalContext.decode(r) };
}

export function encodeDocumentOperation(w: ByteWriter, op: DocumentOperation): void {
  chunkCodec.encode(w, op.chunk);
  encodeDots(w, op.replaces);
}

export function decodeDocumentOperation(r: ByteReader): DocumentOperation {
  const chunk = chunkCodec.decode(r);
  return { type: 'document', chunk, replaces: decodeDots(r) };
}
