import type { Answer } from './requests.ts';

/** A client's open request, as the part that works on it sees it. */
export interface Asking {
  /** False once it was answered or the asker is gone: nothing need be kept for it. */
  readonly isOpen: () => boolean;
  /** Takes effect the first time, if the request is open. */
  readonly answer: (answer: Answer) => void;
}
