import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { plant, type PlantedBug } from './bug.ts';
import { runChild } from './child.ts';

/** What a run of simulator and unit tests needs of the repository. */
const copied = [
  'packages',
  'test/setup',
  'package.json',
  'tsconfig.base.json',
  'tsconfig.pure.json',
  'tsconfig.node.json',
  'vitest.config.ts',
];

/** A copy of the sources to plant bugs into: the repository itself is never touched. */
export class WorkingCopy {
  readonly folder: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.folder = mkdtempSync(join(tmpdir(), 'skerry-planted-'));
    for (const path of copied) {
      cpSync(join(root, path), join(this.folder, path), {
        recursive: true,
        verbatimSymlinks: true,
        preserveTimestamps: true,
        filter: (source) => basename(source) !== '.skerry',
      });
    }
    symlinkSync(join(root, 'node_modules'), join(this.folder, 'node_modules'));
  }

  /** Plants the bug, runs `use`, and takes it out again. */
  async with<T>(bug: PlantedBug, use: () => Promise<T>): Promise<T> {
    const files = [...new Set(bug.edits.map(({ file }) => file))];
    try {
      for (const file of files) {
        const original = readFileSync(join(this.#root, file), 'utf8');
        const planted = bug.edits.filter((edit) => edit.file === file).reduce(plant, original);
        writeFileSync(join(this.folder, file), planted);
      }
      return await use();
    } finally {
      for (const file of files) writeFileSync(join(this.folder, file), readFileSync(join(this.#root, file)));
    }
  }

  /** Compiles what the simulator needs. Throws if the planted code has no valid types: then it tests nothing. */
  async build(): Promise<void> {
    const tsc = join(this.folder, 'node_modules', 'typescript', 'bin', 'tsc');
    const { code, output } = await runChild([tsc, '-b', 'packages/simulator'], {
      cwd: this.folder,
      silenceMsMax: 120_000,
    });
    if (code !== 0) throw new Error(`the planted code does not compile:\n${output}`);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
