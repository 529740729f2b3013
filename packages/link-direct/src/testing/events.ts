import type { RegionId } from '@skerry/base';
import type { LinkEvents } from '@skerry/replica';

/** Writes down what a link tells. */
export class RecordedEvents implements LinkEvents {
  readonly frames: string[] = [];
  readonly up: Set<RegionId> = new Set();
  readonly changes: string[] = [];

  receive(from: RegionId, frame: Uint8Array): void {
    this.frames.push(`${from}: ${new TextDecoder().decode(frame.subarray(0, 40))}`);
  }

  entries(): void {
    throw new Error('there is no log');
  }

  published(): void {
    throw new Error('there is no log');
  }

  regionUp(region: RegionId): void {
    this.up.add(region);
    this.changes.push(`up ${region}`);
  }

  regionDown(region: RegionId): void {
    this.up.delete(region);
    this.changes.push(`down ${region}`);
  }
}

/** Waits for a fact, turn by turn of the event loop; fails with `what` after `timeoutMs`. */
export async function until(what: string, fact: () => boolean, timeoutMs = 5_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!fact()) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
