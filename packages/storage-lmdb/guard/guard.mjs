// @ts-check
/**
 * Opens a data file before the node itself does, in a process that may die of it. Plain JavaScript, so that it runs
 * from the sources and from a build alike. Asked by one message of the parent, answers with one, and ends:
 * `{ path, budgetMs, critical: base64[] }` -> `{ kind: 'sound' | 'damaged' | 'failed', ... }`.
 */
import { open } from 'lmdb';
import { Damage, PageFile } from './page-file.mjs';
import { walk } from './page-walk.mjs';

/** @param {{ path: string, budgetMs: number, critical: string[] }} request */
function inspect({ path, budgetMs, critical }) {
  try {
    const file = new PageFile(path);
    try {
      const report = walk(file, {
        deadlineMs: performance.now() + budgetMs,
        critical: critical.map((prefix) => Buffer.from(prefix, 'base64')),
      });
      openAsTheNodeWill(path);
      const { recordsChecked, complete, unreadFrom } = report;
      return { kind: 'sound', recordsChecked, complete, unreadFrom: unreadFrom?.toString('base64') ?? null };
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof Damage) return { kind: 'damaged', message: error.message, where: error.where };
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
}

/** If LMDB itself crashes on this file, it does so here. @param {string} path */
function openAsTheNodeWill(path) {
  const environment = open({
    path,
    noSubdir: true,
    readOnly: true,
    maxDbs: 1,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
    safeRestore: true,
  });
  for (const reverse of [false, true]) for (const _ of environment.getRange({ limit: 1, reverse })) continue;
  void environment.close();
}

process.once('message', (request) => {
  process.send?.(inspect(/** @type {any} */ (request)), () => process.exit(0));
});
process.once('disconnect', () => process.exit(1));
