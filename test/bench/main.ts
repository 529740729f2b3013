import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readFlags, usage, type Flags } from './flags.ts';
import { installPeers } from './lib/install-peers.ts';
import { circumstances, isBusy } from './lib/machine.ts';
import { pageOf, rounded, saveResults } from './lib/results.ts';
import { workloadNames, workloads } from './lib/workloads.ts';
import { resultsFolder, updateReadme } from './readme.ts';
import { runMode } from './run-mode.ts';
import { chosenSystems, installedSystems, type Installed } from './systems.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let flags: Flags;
  try {
    flags = readFlags(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 1;
  }
  if (flags.help) {
    print(usage);
    return 0;
  }
  let folder: string | null = null;
  try {
    if (flags.readme) {
      say(updateReadme());
      return 0;
    }
    if (flags.installPeers) installPeers(say);
    const installed = installedSystems(flags);
    if (flags.list) {
      list(installed);
      return 0;
    }
    for (const line of installed.missing) say(line);
    if (flags.profile !== null) mkdirSync(flags.profile, { recursive: true });
    folder = mkdtempSync(join(resolve(flags.data ?? tmpdir()), 'skerry-bench-'));
    await measure(args, flags, { installed, folder });
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  args: readonly string[],
  flags: Flags,
  { installed, folder }: { readonly installed: Installed; readonly folder: string },
): Promise<void> {
  const now = circumstances(args);
  if (isBusy(now)) say(`The load of this machine is ${now.loadBefore}: what is measured now is a hint, not a result.`);
  const systems = chosenSystems(installed, flags.only);
  const subtitle = `${now.cores} cores, commit ${now.commit}, ${now.startedAt.slice(0, 10)}${isBusy(now) ? ', a hint: the machine was busy' : ''}`;
  for await (const results of runMode(flags, { systems, folder, subtitle, say })) {
    if (flags.json) print(JSON.stringify({ ...now, ...results.data }, rounded));
    else print(pageOf({ ...results, plots: {} }, now, systems));
    if (flags.save === null) continue;
    for (const file of saveResults(flags.save, results, now, systems)) say(`wrote ${file}`);
    if (resolve(flags.save) === resultsFolder) say(updateReadme());
  }
}

function list({ systems, missing }: Installed): void {
  for (const name of workloadNames) print(`${name.padEnd(14)} ${workloads[name].summary}`);
  for (const { id, label, version, durability } of systems) {
    print(`${id.padEnd(14)} ${label} ${version}: ${durability}`);
  }
  for (const line of missing) print(line);
}

/** Progress; results alone go to the standard output. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}
