import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PlantedBug } from './bug.ts';
import { runChild } from './child.ts';
import type { Caught, Result } from './result.ts';
import type { WorkingCopy } from './working-copy.ts';

export interface Places {
  /** The repository: the code without the bug. */
  readonly root: string;
  readonly copy: WorkingCopy;
  /** The compiled `seeds.js`. */
  readonly seedsScript: string;
}

type Found = Pick<Result, 'caught' | 'seeds'>;

/** A simulated world, or a test, takes no longer than that unless it hangs. */
const silenceMsMax = 90_000;

/** Lets the bug's bench look for it. What it finds must not be there without the bug. */
export async function seek(bug: PlantedBug, places: Places, seedsMax: number): Promise<Found> {
  switch (bug.bench.kind) {
    case 'simulator':
      return seekBySeeds(places, seedsMax);
    case 'raft':
      return seekByNetworks(places, seedsMax);
    case 'tests':
      return seekByTests(bug.bench.files, places);
  }
}

interface World {
  readonly seed: number;
  readonly violations: readonly { readonly invariant: string; readonly message: string }[];
}

async function seekBySeeds({ root, copy, seedsScript }: Places, seedsMax: number): Promise<Found> {
  await copy.build();
  const found = await runWorlds(seedsScript, copy.folder, { first: 1, count: seedsMax });
  if (found.caught === null) return found;
  const control = await runWorlds(seedsScript, root, { first: found.caught.seed ?? 0, count: 1 });
  if (control.caught !== null)
    throw new Error(`seed ${found.caught.seed} fails without the bug too: ${control.caught.said}`);
  return found;
}

async function runWorlds(
  seedsScript: string,
  folder: string,
  { first, count }: { first: number; count: number },
): Promise<Found> {
  const index = join(folder, 'packages', 'simulator', 'dist', 'index.js');
  let last: World = { seed: first - 1, violations: [] };
  const { code, output } = await runChild([seedsScript, index, `${first}`, `${count}`], {
    cwd: folder,
    silenceMsMax,
    onLine: (line) => {
      if (line.startsWith('{')) last = JSON.parse(line) as World;
    },
  });
  const worlds = last.seed - first + 1;
  if (code === null) {
    return {
      seeds: worlds + 1,
      caught: { by: 'hang', said: `the world of seed ${last.seed + 1} does not end`, seed: last.seed + 1 },
    };
  }
  if (code !== 0) throw new Error(`the simulator ended with code ${code}:\n${output.slice(-2_000)}`);
  const [violation] = last.violations;
  if (violation === undefined) return { seeds: worlds, caught: null };
  return {
    seeds: worlds,
    caught: {
      by: [...new Set(last.violations.map(({ invariant }) => invariant))].join(', '),
      said: firstLine(violation.message),
      seed: last.seed,
    },
  };
}

const networkTest = 'packages/raft/src/random-network.test.ts';

async function seekByNetworks({ root, copy }: Places, seedsMax: number): Promise<Found> {
  const [failure] = await failuresOf([networkTest], copy.folder, { RAFT_SEEDS: `${seedsMax}` });
  if (failure === undefined) return { seeds: seedsMax, caught: null };
  const match = /seed (\d+) \(rerun[^)]*\): (?:\w*Error: )?(.*)/.exec(failure.said);
  if (match === null) return { seeds: seedsMax, caught: null };
  const seed = Number(match[1]);
  const control = await failuresOf([networkTest], root, { RAFT_SEED: `${seed}` });
  if (control.length > 0) throw new Error(`network ${seed} fails without the bug too`);
  return { seeds: seed + 1, caught: { by: 'random network of raft', said: match[2] ?? '', seed } };
}

async function seekByTests(files: readonly string[], { root, copy }: Places): Promise<Found> {
  const [failure] = await failuresOf(files, copy.folder, {});
  if (failure === undefined) return { seeds: 0, caught: null };
  const control = await failuresOf(files, root, {});
  if (control.length > 0) throw new Error(`${control[0]?.by} fails without the bug too`);
  return { seeds: 0, caught: failure };
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

async function failuresOf(
  files: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<Caught[]> {
  const report = join(tmpdir(), `skerry-planted-${process.pid}.json`);
  const vitest = join(folder, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--project', 'unit', '--reporter=json', `--outputFile.json=${report}`, ...files];
  const { code, output } = await runChild(args, { cwd: folder, silenceMsMax: 240_000, env });
  if (code === null) return [{ by: 'hang', said: `${files.join(' ')} does not end`, seed: null }];
  if (code === 0) {
    rmSync(report);
    return [];
  }
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  rmSync(report);
  const failures = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults
      .filter((test) => test.status === 'failed')
      .map(({ title, failureMessages }): Caught => ({
        by: title,
        said: firstLine(failureMessages?.[0] ?? ''),
        seed: null,
      }));
    if (status === 'failed' && failed.length === 0) throw new Error(`${name} could not be run: ${message}`);
    return failed;
  });
  if (failures.length === 0)
    throw new Error(`the tests ended with code ${code} and none failed:\n${output.slice(-2_000)}`);
  return failures;
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 240);
}
