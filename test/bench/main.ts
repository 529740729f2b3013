import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readFlags, usage, type Flags } from './flags.ts';
import { figuresOf, figureTable } from './figures.ts';
import { installPeers } from './lib/install-peers.ts';
import { circumstances } from './lib/machine.ts';
import { findProgram } from './lib/programs.ts';
import { workloadNames, workloads } from './lib/workloads.ts';
import { measureMatrix, matrixTable } from './matrix.ts';
import { measureFigures, type QuickOptions } from './quick.ts';
import { chosenSystems, installedSystems } from './systems.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let flags: Flags;
  try {
    flags = readFlags(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 1;
  }
  if (flags.help) return print(usage);
  if (flags.installPeers) installPeers(say);
  const installed = installedSystems(flags);
  if (flags.list) {
    for (const name of workloadNames) print(`${name.padEnd(14)} ${workloads[name].summary}`);
    for (const { id, label, version, durability } of installed.systems) {
      print(`${id.padEnd(14)} ${label} ${version}: ${durability}`);
    }
    for (const line of installed.missing) print(line);
    return 0;
  }
  for (const line of installed.missing) say(line);
  if (flags.profile !== null) mkdirSync(flags.profile, { recursive: true });
  const folder = mkdtempSync(join(resolve(flags.data ?? tmpdir()), 'skerry-bench-'));
  try {
    const systems = chosenSystems(installed, flags.only);
    if (flags.quick) {
      const found = await measureFigures({ ...quickOptionsOf(flags), systems, folder, say });
      const figures = figuresOf(found.findings);
      if (flags.json) print(JSON.stringify({ ...circumstances(args), figures, ...found }));
      else print(figureTable(figures));
      return 0;
    }
    const results = await measureMatrix(systems, { ...flags, folder }, say);
    if (flags.json) print(JSON.stringify({ ...circumstances(args), results }));
    else print(matrixTable(results, systems));
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Chosen so that all of it takes less than ten minutes on two cores. */
function quickOptionsOf({
  parts,
  rounds,
  seconds,
  warmUpSeconds,
}: Flags): Omit<QuickOptions, 'systems' | 'folder' | 'say'> {
  const etcdctl = findProgram('etcdctl', null, 'version')?.path ?? null;
  const times = { measureMs: seconds * 1_000, warmUpMs: warmUpSeconds * 1_000, rampStepMs: 10_000, idleMs: 10_000 };
  return { parts, rounds, etcdctl, ...times };
}

/** Progress; results alone go to the standard output. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function print(text: string): number {
  process.stdout.write(`${text.trimEnd()}\n`);
  return 0;
}
