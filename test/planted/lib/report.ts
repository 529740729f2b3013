import type { Bench, PlantedBug } from './bug.ts';
import type { Result, Results } from './result.ts';

const head = `# Planted bugs

A check that has never failed proves little. \`npm run planted\` copies the sources, plants one bug after the other, and lets
the simulator, the random networks of raft, or the unit tests look for it; what they find must not be there without the bug.
The table is written by that command. \`npm run planted -- --list\` names the bugs, \`npm run planted -- NAME --seeds 500\`
tries some again. The patches stand in \`test/planted/bugs-*.ts\`; a unit test fails when one no longer fits the code, or
when it was not tried in its present form.

| planted bug | looked for by | seeds | seconds | caught by |
| --- | --- | --- | --- | --- |
`;

/** docs/planted.md. */
export function renderReport(bugs: readonly PlantedBug[], results: Results): string {
  const rows = bugs.map((bug) => row(bug, results[bug.name]));
  const survivors = bugs.filter(({ name }) => results[name]?.caught === null).map(({ name }) => `\`${name}\``);
  const tail =
    survivors.length === 0
      ? `All ${bugs.length} are caught.`
      : `Nothing catches ${survivors.join(', ')}: a check is missing there.`;
  return `${head}${rows.join('\n')}\n\n${tail}\n`;
}

function row({ name, what, bench }: PlantedBug, result: Result | undefined): string {
  const cells = [`\`${name}\`: ${what}`, benchName(bench), ...found(result)];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function found(result: Result | undefined): string[] {
  if (result === undefined) return ['–', '–', 'not tried'];
  const { caught, seeds, seconds } = result;
  const time = seconds.toFixed(0);
  if (caught === null) return [`${seeds}`, time, '**nothing**'];
  return [
    caught.seed === null ? '–' : `${seeds}`,
    time,
    caught.seed === null ? `“${caught.by}”` : `${caught.by}: ${shortened(caught.said)}`,
  ];
}

function benchName(bench: Bench): string {
  switch (bench.kind) {
    case 'simulator':
      return 'simulator';
    case 'raft':
      return 'random networks of raft';
    case 'tests':
      return 'unit tests';
  }
}

function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('`', "'");
  return line.length <= 110 ? line : `${line.slice(0, 107)}…`;
}
