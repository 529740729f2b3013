import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Commits of which builds are made, to meet this one. */
export const commits = {
  /** The oldest one of this format of folders, and of this version of the peer protocol. */
  sameNumbers: 'a076ef5c1297dbccf87852054c56b73b681ba9eb',
  /** Folders of format 2, and version 2 between peers. */
  formatTwo: '2f7715a1fc133ef750bb293d301096e209bc3b20',
} as const;

const run = promisify(execFile);

/** Why no older build can be made here; null: it can. */
export function whyNoBuilds(): string | null {
  for (const commit of Object.values(commits)) {
    if (spawnSync('git', ['cat-file', '-e', `${commit}^{commit}`]).status !== 0)
      return `commit ${commit} is not here, of which an older build is made`;
  }
  return null;
}

/** Builds these commits, in folders of their own that go afterwards; `use` is told their `skerry` commands. */
export async function withBuilds<T>(
  wanted: readonly string[],
  use: (bins: readonly string[]) => Promise<T>,
): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'skerry-builds-'));
  try {
    const bins: string[] = [];
    for (const commit of wanted) bins.push(await build(commit, join(home, commit.slice(0, 12))));
    return await use(bins);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function build(commit: string, folder: string): Promise<string> {
  await run('sh', ['-c', 'mkdir -p "$2" && git archive "$1" | tar x -C "$2"', 'sh', commit, folder]);
  await run('node', ['infra/run.mjs', 'build'], { cwd: folder });
  return join(folder, 'packages', 'cli', 'bin', 'skerry.mjs');
}
