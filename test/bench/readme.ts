import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { figureTable, type Figure } from './figures.ts';
import { isBusy, type Circumstances } from './lib/machine.ts';
import { repositoryRoot } from './lib/programs.ts';

/** Where the results stand that count. */
export const resultsFolder: string = join(repositoryRoot, 'docs', 'benchmarks');
const readmeFile = join(repositoryRoot, 'README.md');

const begin = '<!-- npm run bench -- --readme writes what follows -->';
const end = '<!-- and ends here -->';

/** One of each experiment of the literature. */
const plots = [
  { file: 'ramp-throughput.svg', about: 'Five nodes, rising load: successes per second' },
  { file: 'elections-skerry.svg', about: 'From the crash of a leader to a new one' },
];

/** What the README shows of the results in `folder`. */
export function readmeSection(folder: string): string {
  const saved = JSON.parse(readFileSync(join(folder, 'figures.json'), 'utf8')) as Circumstances & {
    readonly figures: readonly Figure[];
  };
  const { command, commit, startedAt, processor, cores } = saved;
  const hint = isBusy(saved) ? ` **A hint, not a result: the machine had other work (load ${saved.loadBefore}).**` : '';
  const lines = [
    begin,
    `Measured on ${startedAt.slice(0, 10)} with commit ${commit} on ${cores} cores of ${processor}, by \`${command}\`.${hint}`,
    figureTable(saved.figures, ['reach', 'aim', 'today', 'verdict']),
    ...plots
      .filter(({ file }) => existsSync(join(folder, file)))
      .map(({ file, about }) => `![${about}](docs/benchmarks/${file})`),
    end,
  ];
  return lines.join('\n\n');
}

/** `text` with the section in the place of the one that was there. */
export function withSection(text: string, section: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`the README has no lines "${begin}" and "${end}" in this order`);
  return text.slice(0, from) + section + text.slice(to + end.length);
}

/** Writes it where it differs; says which. */
export function updateReadme(): string {
  const before = readFileSync(readmeFile, 'utf8');
  const after = withSection(before, readmeSection(resultsFolder));
  if (after === before) return 'README.md says what docs/benchmarks holds';
  writeFileSync(readmeFile, after);
  return 'wrote README.md';
}
