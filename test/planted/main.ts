import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plantedBugs } from './bugs.ts';
import { seek } from './lib/benches.ts';
import type { PlantedBug } from './lib/bug.ts';
import { renderReport } from './lib/report.ts';
import { patchDigest, type Results } from './lib/result.ts';
import { WorkingCopy } from './lib/working-copy.ts';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..', '..');
const resultsFile = join(root, 'test', 'planted', 'results.json');
const reportFile = join(root, 'docs', 'planted.md');

const usage = `usage: planted [NAME…] [--seeds N] [--list]
  NAME…       only these bugs; else all
  --seeds N   give up after so many worlds (2000)
  --list      name the bugs`;

process.exitCode = await main(process.argv.slice(2));

/** 0: every bug that was tried is caught; 1: some are not; 2: bad usage. */
async function main(argv: readonly string[]): Promise<number> {
  const names: string[] = [];
  let seedsMax = 2_000;
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] as string;
    if (argument === '--help') {
      print(usage);
      return 0;
    }
    if (argument === '--list') {
      for (const { name, what } of plantedBugs) print(`${name.padEnd(40)} ${what}`);
      return 0;
    }
    if (argument === '--seeds') seedsMax = Number(argv[++i]);
    else if (argument.startsWith('-')) return misused();
    else names.push(argument);
  }
  if (!Number.isSafeInteger(seedsMax) || seedsMax < 1) return misused();
  if (names.some((name) => plantedBugs.every((bug) => bug.name !== name))) return misused();
  const chosen = plantedBugs.filter(({ name }) => names.length === 0 || names.includes(name));
  return tryAll(chosen, seedsMax);
}

async function tryAll(bugs: readonly PlantedBug[], seedsMax: number): Promise<number> {
  const copy = new WorkingCopy(root);
  let survivors = 0;
  try {
    for (const bug of bugs) {
      const start = performance.now();
      const found = await copy.with(bug, () =>
        seek(bug, { root, copy, seedsScript: join(here, 'seeds.js') }, seedsMax),
      );
      const seconds = (performance.now() - start) / 1_000;
      if (found.caught === null) survivors++;
      print(
        `${bug.name}: ${found.caught === null ? `SURVIVED ${found.seeds} seeds` : `${found.caught.by}, ${found.seeds} seeds: ${found.caught.said}`} (${seconds.toFixed(0)} s)`,
      );
      // After each, so that a run that is cut short is not lost.
      save({ ...readResults(), [bug.name]: { patch: patchDigest(bug), ...found, seconds: Math.round(seconds) } });
    }
  } finally {
    copy.remove();
  }
  return survivors === 0 ? 0 : 1;
}

function readResults(): Results {
  return existsSync(resultsFile) ? (JSON.parse(readFileSync(resultsFile, 'utf8')) as Results) : {};
}

/** In the order of the table, and without bugs that are gone. */
function save(results: Results): void {
  const kept = Object.fromEntries(
    plantedBugs.flatMap(({ name }) => (results[name] === undefined ? [] : [[name, results[name]]])),
  );
  writeFileSync(resultsFile, `${JSON.stringify(kept, null, 2)}\n`);
  writeFileSync(reportFile, renderReport(plantedBugs, kept));
}

function misused(): number {
  print(usage);
  return 2;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
