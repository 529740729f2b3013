import type * as Automerge from '@automerge/automerge';
import { ByteReader, DecodeError, toHex } from '@skerry/base';

/**
 * What needs Automerge itself: to show a document, to edit it, to check and to compact it. The value type does not
 * (see `DocumentState`), so replicas merge documents without it.
 *
 * The caller's duty: a load costs memory by history and not by size (automerge #705: 500 MiB for 670 KiB), and bytes
 * of a stranger may expand. Call these away from the request path, in a worker with a memory cap, and only for
 * documents within `ValueLimits`.
 */
export interface DocumentEngine {
  /** The document as plain JSON. Chunks may come in any order and overlap. */
  read(chunks: readonly Uint8Array[]): unknown;
  /**
   * Counts the operations in `bytes`, which a `DocumentRequest` states. `base` are the chunks it builds on.
   * @throws DecodeError if `bytes` are not Automerge's or build on changes that are in neither.
   */
  inspect(bytes: Uint8Array, base: readonly Uint8Array[]): { readonly operations: number; readonly changes: number };
  /**
   * The change that `edit` makes to the document, as one chunk; null if it changed nothing. `actor` is lower-case hex
   * and must not be used by two editors at once.
   */
  edit(chunks: readonly Uint8Array[], actor: string, edit: Edit): Uint8Array | null;
  /** {@link edit} with what an editor needs besides, for one load: the operations of the change, and the document after it. */
  change(chunks: readonly Uint8Array[], actor: string, edit: Edit): DocumentEdit;
  /** All chunks as one saved document, and its operations: the request of a compaction. */
  compact(chunks: readonly Uint8Array[]): { readonly bytes: Uint8Array; readonly operations: number };
}

export interface DocumentEdit {
  /** null: the edit changed nothing. */
  readonly change: { readonly bytes: Uint8Array; readonly operations: number } | null;
  /** As {@link DocumentEngine.read} shows it. */
  readonly value: unknown;
}

/** Changes within texts. An assignment replaces a text as a whole; concurrent changes of these kinds are merged. */
export interface TextEdits {
  /** Puts `insert` in place of `deleteCount` UTF-16 units from `at` of the text at `path`, which is of keys and indexes. */
  readonly splice: (path: readonly (string | number)[], at: number, deleteCount: number, insert: string) => void;
  /** Makes the text at `path` read `text`, changing only what differs. */
  readonly update: (path: readonly (string | number)[], text: string) => void;
}

type Draft = Record<string, unknown>;
type Edit = (draft: Draft, text: TextEdits) => void;

/** Loads Automerge and its WebAssembly, on the first call only. */
export async function loadDocumentEngine(): Promise<DocumentEngine> {
  const automerge = await import('@automerge/automerge');
  return engineOn(automerge);
}

function engineOn(automerge: typeof Automerge): DocumentEngine {
  // An actor that never edits, so that loading draws no random one.
  const readerActor = '00';
  const load = (chunks: readonly Uint8Array[], actor = readerActor): Automerge.Doc<Draft> => {
    const frames = chunks.flatMap(framesOf);
    const saved = frames.filter(({ type }) => type === savedDocumentType).map(({ bytes }) => bytes);
    const changes = frames.filter(({ type }) => type !== savedDocumentType).map(({ bytes }) => bytes);
    try {
      // Not loadIncremental: it skips what it cannot parse and says nothing.
      const first =
        saved[0] === undefined ? automerge.init<Draft>({ actor }) : automerge.load<Draft>(saved[0], { actor });
      const doc = saved
        .slice(1)
        .reduce((all, bytes) => automerge.merge(all, automerge.load<Draft>(bytes, { actor: readerActor })), first);
      return automerge.applyChanges(doc, changes)[0];
    } catch (error) {
      throw new DecodeError(`not an Automerge document: ${String(error)}`);
    }
  };
  const apply = (
    chunks: readonly Uint8Array[],
    actor: string,
    edit: Edit,
  ): { after: Automerge.Doc<Draft>; bytes: Uint8Array | null; operations: number } => {
    const before = load(chunks, actor);
    const heads = automerge.getHeads(before);
    const countBefore = automerge.stats(before).numOps;
    // Time 0: Automerge would ask the wall clock for a time that nothing here reads.
    const after = automerge.change(before, { time: 0 }, (draft) => {
      edit(draft, textEdits(automerge, draft));
    });
    const changes = automerge.getChangesSince(after, heads);
    return {
      after,
      bytes: changes.length === 0 ? null : joined(changes),
      operations: automerge.stats(after).numOps - countBefore,
    };
  };
  return {
    read(chunks) {
      return automerge.toJS(load(chunks));
    },
    inspect(bytes, base) {
      for (const frame of framesOf(bytes)) if (frame.type !== savedDocumentType) checkChange(automerge, frame.bytes);
      const before = load(base);
      const countBefore = automerge.stats(before);
      const after = load([...base, bytes]);
      if (automerge.getMissingDeps(after, []).length > 0)
        throw new DecodeError('the changes build on changes that are missing');
      const countAfter = automerge.stats(after);
      return {
        operations: countAfter.numOps - countBefore.numOps,
        changes: countAfter.numChanges - countBefore.numChanges,
      };
    },
    edit(chunks, actor, edit) {
      return apply(chunks, actor, edit).bytes;
    },
    change(chunks, actor, edit) {
      const { after, bytes, operations } = apply(chunks, actor, edit);
      return { change: bytes === null ? null : { bytes, operations }, value: automerge.toJS(after) };
    },
    compact(chunks) {
      const doc = load(chunks);
      return { bytes: automerge.save(doc), operations: automerge.stats(doc).numOps };
    },
  };
}

function textEdits(automerge: typeof Automerge, draft: Automerge.Doc<Draft>): TextEdits {
  return {
    splice: (path, at, deleteCount, insert) => {
      automerge.splice(draft, [...path], at, deleteCount, insert);
    },
    update: (path, text) => {
      automerge.updateText(draft, [...path], text);
    },
  };
}

const savedDocumentType = 0;

/**
 * The chunks that follow each other in `bytes`: magic (4 bytes), checksum (4), type (1), length (LEB128), contents.
 * Automerge would ignore one that is cut off at the end, as a crash would leave it.
 */
function framesOf(bytes: Uint8Array): { type: number; bytes: Uint8Array }[] {
  const frames: { type: number; bytes: Uint8Array }[] = [];
  const r = new ByteReader(bytes);
  do {
    const start = r.offset;
    r.raw(8);
    const type = r.u8();
    r.bytes();
    frames.push({ type, bytes: bytes.subarray(start, r.offset) });
  } while (r.remaining > 0);
  return frames;
}

/** Automerge applies a change whose checksum, the start of its hash, is wrong. */
function checkChange(automerge: typeof Automerge, bytes: Uint8Array): void {
  let hash: string;
  try {
    hash = automerge.decodeChange(bytes).hash;
  } catch (error) {
    throw new DecodeError(`not an Automerge change: ${String(error)}`);
  }
  if (!hash.startsWith(toHex(bytes.subarray(4, 8))))
    throw new DecodeError('the checksum of an Automerge change is wrong');
}

/** Automerge chunks carry their lengths, so several are one when they are put in a row. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
