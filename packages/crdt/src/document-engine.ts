import type * as Automerge from '@automerge/automerge';
import { ByteReader, DecodeError } from '@skerry/base';

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
  edit(chunks: readonly Uint8Array[], actor: string, edit: (draft: Record<string, unknown>) => void): Uint8Array | null;
  /** All chunks as one saved document, and its operations: the request of a compaction. */
  compact(chunks: readonly Uint8Array[]): { readonly bytes: Uint8Array; readonly operations: number };
}

type Draft = Record<string, unknown>;

/** Loads Automerge and its WebAssembly, on the first call only. */
export async function loadDocumentEngine(): Promise<DocumentEngine> {
  const automerge = await import('@automerge/automerge');
  return engineOn(automerge);
}

function engineOn(automerge: typeof Automerge): DocumentEngine {
  // An actor that never edits, so that loading draws no random one.
  const readerActor = '00';
  const load = (chunks: readonly Uint8Array[], actor = readerActor): Automerge.Doc<Draft> => {
    let doc = automerge.init<Draft>({ actor });
    try {
      for (const chunk of chunks) doc = automerge.loadIncremental(doc, chunk);
    } catch (error) {
      throw new DecodeError(`not an Automerge document: ${String(error)}`);
    }
    return doc;
  };
  return {
    read(chunks) {
      return automerge.toJS(load(chunks));
    },
    inspect(bytes, base) {
      checkFraming(bytes);
      const before = load(base);
      const countBefore = automerge.stats(before);
      const after = load([...base, bytes]);
      if (automerge.getMissingDeps(after, []).length > 0) throw new DecodeError('the changes build on changes that are missing');
      const countAfter = automerge.stats(after);
      return {
        operations: countAfter.numOps - countBefore.numOps,
        changes: countAfter.numChanges - countBefore.numChanges,
      };
    },
    edit(chunks, actor, edit) {
      const before = load(chunks, actor);
      const heads = automerge.getHeads(before);
      // Time 0: Automerge would ask the wall clock for a time that nothing here reads.
      const after = automerge.change(before, { time: 0 }, edit);
      const changes = automerge.getChangesSince(after, heads);
      return changes.length === 0 ? null : joined(changes);
    },
    compact(chunks) {
      const doc = load(chunks);
      return { bytes: automerge.save(doc), operations: automerge.stats(doc).numOps };
    },
  };
}

/**
 * Automerge ignores a chunk that is cut off at the end, as a crash would leave it, so lengths are checked here: magic
 * (4 bytes), checksum (4), type (1), length (LEB128), contents.
 */
function checkFraming(bytes: Uint8Array): void {
  const r = new ByteReader(bytes);
  do {
    r.raw(9);
    r.bytes();
  } while (r.remaining > 0);
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
