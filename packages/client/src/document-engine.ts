import { loadDocumentEngine, type DocumentEngine } from '@skerry/crdt';
import { SkerryError } from './errors.ts';

/** What a load takes grows with the history and not with the document (automerge #705): more is not loaded. */
export const documentOperationsMax = 200_000;

let loading: Promise<DocumentEngine> | null = null;

/** Automerge and its WebAssembly, loaded when a document is used for the first time. */
export async function documentEngine(): Promise<DocumentEngine> {
  loading ??= loadDocumentEngine();
  try {
    return await loading;
  } catch (error) {
    // The next document tries again: in a browser the module may only not have come.
    loading = null;
    throw error;
  }
}

/** The parts of a document as nodes keep it. */
export interface DocumentParts {
  readonly chunks: readonly Uint8Array[];
  /** Automerge operations in all of them. */
  readonly operations: number;
}

/** Throws LIMIT_EXCEEDED rather than load a history that would hold up this process. */
export function checkHistory({ operations }: DocumentParts): void {
  if (operations > documentOperationsMax) {
    throw new SkerryError({
      code: 'LIMIT_EXCEEDED',
      detail: `the document has ${operations} operations; this client loads ${documentOperationsMax}`,
    });
  }
}

/** The document as plain JSON. */
export async function readDocument(parts: DocumentParts): Promise<unknown> {
  checkHistory(parts);
  return (await documentEngine()).read(parts.chunks);
}
