import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatVersion } from '@skerry/storage-lmdb';
import { afterEach, describe, expect, test } from 'vitest';
import { missing } from '../../faults/lib/kept.ts';
import { Region } from '../../faults/lib/region.ts';
import { keepFolders, readKept, settings, unpack } from './folders.ts';

let region: Region | null = null;

afterEach(async () => {
  await region?.stop();
  region?.remove();
  region = null;
});

/**
 * FAULTS F13: folders that builds of each format left behind. If those of this format cannot be opened any more, what was
 * changed needs a new format: raise `formatVersion` (and `peerProtocolVersion`, if records of the applied state are
 * concerned), make folders of it by `SKERRY_KEEP_FOLDERS=1 npx vitest run --project integration test/integration/versions`,
 * leave the folder of n1 of the old ones where it is, and name the commit in `commits.sameNumbers` of test/faults/lib/builds.ts.
 * What they do not hold they do not guard: commands of several regions, such as those of a re-seeding, are none of it. `SKERRY_BIN` names the `skerry.mjs` of another build to make them with.
 */
const { SKERRY_KEEP_FOLDERS: keep, SKERRY_BIN: bin } = process.env;
test.runIf(keep === '1')('keeps the folders of this format (skipped unless told to, since they are kept)', async () => {
  await keepFolders(formatVersion, bin === undefined ? {} : { bin });
});

describe('data folders that an older build left behind', { timeout: 120_000 }, () => {
  test('are opened with all that is in them, if they have the format of this one', async () => {
    region = await Region.start({ folder: unpack(formatVersion), settings });
    const lost = await missing(region, readKept(formatVersion)).catch((error: unknown) => [String(error)]);
    region.requireNoCrash();
    expect(lost).toEqual([]);
    const db = await region.client();
    // What a newer build writes comes after all that the older one wrote.
    await db.set('kept/promoted', 'anew');
    await db.counter('kept/counter').add(1);
    expect((await db.get('kept/promoted')).value).toBe('anew');
    expect((await db.counter('kept/counter').get()).value).toBe(6n);
  });

  const older = Array.from({ length: formatVersion - 1 }, (_, index) => index + 1);
  test.each(older)('are refused, untouched and with what to do, if they have format %i', async (format) => {
    region = await Region.plan({ folder: unpack(format), settings });
    const [node] = region.nodes;
    if (node === undefined) throw new Error('a region has nodes');
    const stored = (): Buffer => readFileSync(join(node.dataFolder, 'data.mdb'));
    const before = stored();
    node.start();
    expect(await node.ended).toBe(1);
    expect(node.log).toContain(
      `format ${format}, this version of Skerry reads and writes format ${formatVersion} alone`,
    );
    expect(node.log).toContain('docs/upgrading.md says how');
    expect(stored().equals(before)).toBe(true);
  });
});
