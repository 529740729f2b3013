import type { Answer } from './requests.ts';
import type { Turn } from './turn.ts';

/** A client's open request, as the part that works on it sees it. */
export interface Asking {
  /** False once it was answered or the asker is gone: nothing need be kept for it. */
  readonly isOpen: () => boolean;
  /** Takes effect the first time, if the request is open. */
  readonly answer: (answer: Answer) => void;
}

/**
 * The number of the first question that a node asks another one: above those of its earlier lives, to which an answer may still
 * be under way, unless its wall clock was set back across the restart (the fault is that of etcd #20418).
 */
export function firstAsk({ clocks }: Turn): number {
  return Math.max(0, Math.floor(clocks.wallMs())) * 1_000 + 1;
}
