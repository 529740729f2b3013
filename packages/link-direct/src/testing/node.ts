import { regionId, type RegionId } from '@skerry/base';
import { RecordedEvents, until } from './events.ts';
import type { DirectEndpoint, DirectHarness, StartOptions } from './harness.ts';

export const region1: RegionId = regionId('region-1');
export const region2: RegionId = regionId('region-2');

/** A node of region-1 that deals with region-2, or of another region that deals with region-1. */
export interface TestNode extends DirectEndpoint {
  readonly events: RecordedEvents;
  /** Learns of the other region, with these contacts. */
  know(...contacts: readonly { readonly url: string }[]): void;
  send(...frames: readonly string[]): void;
  up(): boolean;
}

export async function startNode(
  harness: DirectHarness,
  region: number,
  options: Partial<StartOptions> = {},
): Promise<TestNode> {
  const events = new RecordedEvents();
  const endpoint = await harness.start({ region: regionId(`region-${region}`), node: 'n1', ...options, events });
  const other = region === 1 ? region2 : region1;
  return {
    ...endpoint,
    events,
    know: (...contacts) => endpoint.link.setRegions([{ region: other, urls: contacts.map(({ url }) => url) }]),
    send: (...frames) => {
      for (const frame of frames) endpoint.link.send(other, Buffer.from(frame));
    },
    up: () => events.up.has(other),
  };
}

/** `a` dials one of `contacts`, which know of no contact themselves. */
export async function connect(a: TestNode, ...contacts: readonly TestNode[]): Promise<void> {
  for (const contact of contacts) contact.know();
  a.know(...contacts);
  await until('connected', () => a.up());
}
