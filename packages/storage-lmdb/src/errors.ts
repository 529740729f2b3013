/**
 * Why a folder could not be opened as a storage. A damaged folder is not among these: that is a `StorageCorruptError`
 * of `@skerry/replica`, whose {@link corruptCode} stands beside these codes in logs and exit messages.
 */
export type StorageOpenErrorCode =
  /** Another process (its pid is in the message), or this one, has the folder open. */
  | 'FOLDER_IN_USE'
  /** The folder is not there, or holds no storage, and `create` was false. */
  | 'FOLDER_MISSING'
  /** Made by a version of Skerry whose format this one does not read. */
  | 'FORMAT_VERSION'
  /** The identity in the SKERRY file and the one in the environment are not the same, or one of them is missing. */
  | 'IDENTITY_MISMATCH';

/** The code under which a `StorageCorruptError` is reported beside {@link StorageOpenErrorCode}. */
export const corruptCode = 'CORRUPT';

export class StorageOpenError extends Error {
  override readonly name = 'StorageOpenError';
  readonly code: StorageOpenErrorCode;
  constructor(code: StorageOpenErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
