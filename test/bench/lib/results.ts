import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemUnderTest } from '../clusters/cluster.ts';
import { isBusy, type Circumstances } from './machine.ts';

/** What a run leaves: data, a page for people, and plots by name. */
export interface Results {
  /** Of the files, without what kind they are: `figures`, `ramp`. */
  readonly name: string;
  readonly title: string;
  /** Markdown. */
  readonly page: string;
  readonly plots: Readonly<Record<string, string>>;
  readonly data: object;
  /** False: all of it happened in virtual time and is the same on any machine, however busy. */
  readonly isTimed: boolean;
}

/** The page with all that a figure needs to be judged by. */
export function pageOf(
  { title, page, plots, isTimed }: Results,
  circumstances: Circumstances,
  systems: readonly SystemUnderTest[],
): string {
  const { processor, cores, memoryGiB, system, node, commit, changed, command, startedAt, loadBefore } = circumstances;
  const lines = [
    `# ${title}`,
    ...(isTimed && isBusy(circumstances)
      ? [`**A hint, not a result: other work was going on when this began (load ${loadBefore}).**`]
      : []),
    page,
    ...Object.keys(plots).map((name) => `![${name}](${name}.svg)`),
    [
      `- command: \`${command}\``,
      `- machine: ${cores} cores of ${processor}, ${memoryGiB} GiB, ${system}, Node ${node}; load before ${loadBefore}`,
      `- commit: ${commit}${changed ? ', with changes' : ''}; begun ${startedAt}`,
      ...systems.map(({ label, version, durability, settings }) => `- ${label} ${version}: ${durability}; ${settings}`),
    ].join('\n'),
  ];
  return `${lines.join('\n\n')}\n`;
}

/** Returns the files that were written. */
export function saveResults(
  folder: string,
  results: Results,
  circumstances: Circumstances,
  systems: readonly SystemUnderTest[],
): string[] {
  mkdirSync(folder, { recursive: true });
  const described = systems.map(({ id, label, version, durability, settings }) => {
    return { id, label, version, durability, settings };
  });
  const files: Record<string, string> = {
    [`${results.name}.json`]: `${JSON.stringify({ ...circumstances, systems: described, ...results.data }, rounded)}\n`,
    [`${results.name}.md`]: pageOf(results, circumstances, systems),
  };
  for (const [name, svg] of Object.entries(results.plots)) files[`${name}.svg`] = svg;
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return Object.keys(files).map((name) => join(folder, name));
}

/** For `JSON.stringify`: six digits are more than any measurement is worth. */
export function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
