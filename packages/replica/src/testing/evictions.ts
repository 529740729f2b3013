import { utf8Decode, utf8Encode, type RegionId } from '@skerry/base';
import type { Operation, ValueChange } from '../requests.ts';
import type { StateHeader } from '../state/header.ts';
import type { RegionsWorld } from './regions-world.ts';

/* What tests of regions that evict each other have in common. Regions have one node and one partition. */

export const del = (key: string, consistent = true): Operation => ({ kind: 'delete', key, consistent });
export const update = (key: string, change: ValueChange): Operation => ({
  kind: 'update',
  key,
  change,
  consistent: true,
});
export const addElement = (key: string, element: string): Operation =>
  update(key, { type: 'set', action: 'add', element: utf8Encode(element) });

/** A value or a tombstone. */
export function hasRecord(world: RegionsWorld, region: string, key: string): boolean {
  return [...world.world(region).replica('n1').partitionsForTests].some(({ state }) => state.read(key) !== null);
}

export function header(world: RegionsWorld, region: string): StateHeader {
  const [partition] = world.world(region).replica('n1').partitionsForTests;
  if (partition === undefined) throw new Error(`${region} has no partition`);
  return partition.state.header;
}

/** Cuts all but these pairs, as in `r1r2`. */
export function only(world: RegionsWorld, ...pairs: string[]): void {
  world.heal();
  for (const x of world.regions)
    for (const y of world.regions) if (x < y && !pairs.includes(`${x}${y}`)) world.cut(x, y);
}

export function evict(world: RegionsWorld, by: string, ...regions: string[]): void {
  for (const region of regions) world.ask(by, { kind: 'evictRegion', region: region as RegionId });
}

/** Of a set; null: no such key. */
export function elements(world: RegionsWorld, region: string, key = 'k'): string[] | null {
  const answer = world.ask(region, { kind: 'read', key, type: 'set', consistent: true });
  if (answer.kind !== 'key' || answer.view?.type !== 'set') return null;
  return answer.view.elements.map((one) => utf8Decode(one) ?? '');
}
