import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fill, type Kept } from '../../faults/lib/kept.ts';
import { Region, type RegionOptions } from '../../faults/lib/region.ts';

const home = join(import.meta.dirname, 'testdata');
const parts = ['data.mdb', 'SKERRY'];
/** Entries are few, so that snapshots and the compaction of the log have their part in the folders. */
export const settings: NonNullable<RegionOptions['settings']> = { partitions: 2, limits: { logKeepEntries: 20 } };

/** Data folders of three nodes as a build of that format left them. */
export function keptFolder(format: number): string {
  return join(home, `format-${format}`);
}

export function readKept(format: number): Kept {
  return JSON.parse(readFileSync(join(keptFolder(format), 'kept.json'), 'utf8')) as Kept;
}

/** Lays the folders out where a region of nodes n1, n2 and n3 looks for them. */
export function unpack(format: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-versions-'));
  for (const node of readdirSync(keptFolder(format), { withFileTypes: true })) {
    if (!node.isDirectory()) continue;
    mkdirSync(join(folder, node.name));
    for (const part of parts)
      writeFileSync(
        join(folder, node.name, part),
        gunzipSync(readFileSync(join(node.parentPath, node.name, `${part}.gz`))),
      );
  }
  return folder;
}

/** Runs a region of the build whose `skerry` command is `bin`, fills it, and keeps what it leaves behind. */
export async function keepFolders(format: number, options: Pick<RegionOptions, 'bin'>): Promise<void> {
  const region = await Region.start({ settings, ...options });
  try {
    const kept = await fill(region);
    await region.stop();
    rmSync(keptFolder(format), { recursive: true, force: true });
    for (const { name, dataFolder } of region.nodes) {
      const to = join(keptFolder(format), name);
      mkdirSync(to, { recursive: true });
      for (const part of parts)
        writeFileSync(join(to, `${part}.gz`), gzipSync(readFileSync(join(dataFolder, part)), { level: 9 }));
    }
    writeFileSync(join(keptFolder(format), 'kept.json'), `${JSON.stringify(kept, null, 2)}\n`);
  } finally {
    await region.stop();
    region.remove();
  }
}
