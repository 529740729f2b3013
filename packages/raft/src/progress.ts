import type { NodeId } from '@skerry/base';
import { Inflights } from './inflights.ts';
import type { LogIndex, ProgressState } from './types.ts';

export interface ProgressOptions {
  readonly next: LogIndex;
  readonly tick: number;
  readonly inflightAppendsMax: number;
  readonly inflightBytesMax: number;
}

/** What a leader knows about one other member. Invariant: match < next. */
export class Progress {
  readonly id: NodeId;
  /** The member's log is known to be durable and equal to the leader's up to here. Never goes back (section 5.3). */
  match: LogIndex = 0 as LogIndex;
  /** The next entry to send. In `replicate` it runs ahead of `match` by what is in flight. */
  next: LogIndex;
  state: ProgressState = 'probe';
  /** `probe`: an append is out; nothing more is sent until it or a heartbeat is answered. */
  paused = false;
  /** An append is due even if it carries nothing new: to find where the logs match, or whether one was lost. */
  probeDue = true;
  /** The highest commit index that an append in flight tells the member. */
  commitSent: LogIndex = 0 as LogIndex;
  /** `snapshot`: the index of the snapshot that is on its way. */
  snapshotIndex: LogIndex = 0 as LogIndex;
  /** When the leader last heard from the member; at first, when it began to watch it. */
  contactTick: number;
  /** The newest ReadIndex round that the member answered. */
  roundAcked = 0;
  readonly inflights: Inflights;

  constructor(id: NodeId, options: ProgressOptions) {
    this.id = id;
    this.next = options.next;
    this.contactTick = options.tick;
    this.inflights = new Inflights(options.inflightAppendsMax, options.inflightBytesMax);
  }

  becomeProbe(next: LogIndex): void {
    this.state = 'probe';
    this.next = next > this.match ? next : ((this.match + 1) as LogIndex);
    this.paused = false;
    this.probeDue = true;
    this.commitSent = 0 as LogIndex;
    this.inflights.clear();
  }

  becomeReplicate(): void {
    this.state = 'replicate';
    this.next = (this.match + 1) as LogIndex;
    this.paused = false;
    this.probeDue = false;
    this.commitSent = 0 as LogIndex;
    this.inflights.clear();
  }

  becomeSnapshot(index: LogIndex): void {
    this.state = 'snapshot';
    this.snapshotIndex = index;
    this.next = (index + 1) as LogIndex;
    this.paused = false;
    this.probeDue = false;
    this.inflights.clear();
  }

  /** Accepted up to `index`. False if that is no news. */
  accepted(index: LogIndex): boolean {
    if (index <= this.match) return false;
    this.match = index;
    if (this.next <= index) this.next = (index + 1) as LogIndex;
    return true;
  }

  /**
   * An append after `rejected` did not match; the logs may match at `hint`. False if the answer is stale: answers
   * overtake each other, and a window of appends that follow a lost one is rejected as often as it has messages.
   */
  rejected(rejected: LogIndex, hint: LogIndex): boolean {
    switch (this.state) {
      case 'snapshot':
        return false;
      case 'replicate':
        if (rejected <= this.match || rejected >= this.next) return false;
        this.becomeProbe((this.match + 1) as LogIndex);
        return true;
      case 'probe':
        if (rejected !== this.next - 1 || rejected <= this.match) return false;
        this.becomeProbe(Math.min(rejected, hint + 1) as LogIndex);
        return true;
    }
  }
}
