import type { RegionId } from '@skerry/base';
import type { LogBatch } from '../ports/link.ts';
import type { LinkEffects } from '../replica-api.ts';

/** What the parts of a replica want the link to do, collected during a turn. */
export class LinkOutbox {
  #frames: { region: RegionId; frame: Uint8Array }[] = [];
  #batches: LogBatch[] = [];
  #subscriptions: LinkEffects['subscriptions'][number][] = [];

  send(region: RegionId, frame: Uint8Array): void {
    this.#frames.push({ region, frame });
  }

  publish(batch: LogBatch): void {
    this.#batches.push(batch);
  }

  subscribe(subscription: LinkEffects['subscriptions'][number]): void {
    this.#subscriptions.push(subscription);
  }

  /** null: nothing. */
  take(): LinkEffects | null {
    if (this.#frames.length === 0 && this.#batches.length === 0 && this.#subscriptions.length === 0) return null;
    const effects = { frames: this.#frames, batches: this.#batches, subscriptions: this.#subscriptions };
    this.#frames = [];
    this.#batches = [];
    this.#subscriptions = [];
    return effects;
  }
}
