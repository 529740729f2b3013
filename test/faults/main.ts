import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { show, tooSlow, type Report, type Scenario, type ScenarioContext } from './lib/scenario.ts';
import { scenarios } from './scenarios.ts';

const usage = `usage: npm run faults -- [NAME…] [--trials N] [--link direct|nats] [--seed N] [--only TEXT] [--short] [-o json] [--list] [--help]

Runs the fault checks on real processes, all of them or those named, and prints their figures. --link and --seed are
for the checks of several regions, --only for those that hurt in several ways: only ways whose names have TEXT in them.
--short is what npm test runs.
Ends with 0 if every promise held, 1 if not.
`;

interface Flags {
  readonly names: readonly string[];
  readonly trials: number | null;
  readonly context: Pick<ScenarioContext, 'link' | 'seed' | 'short' | 'only'>;
  readonly json: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const flags = readFlags();
  if (typeof flags === 'string') {
    process.stderr.write(`${flags}\n${usage}`);
    return 1;
  }
  if (flags.help) {
    process.stdout.write(usage);
    return 0;
  }
  const chosen = flags.names.length === 0 ? scenarios : scenarios.filter(({ name }) => flags.names.includes(name));
  if (flags.list) {
    for (const { name, summary, trials } of chosen) print(`${name.padEnd(20)} ${summary} (${trials})`);
    return 0;
  }
  let failed = 0;
  for (const scenario of chosen) if (!(await runOne(scenario, flags))) failed++;
  if (!flags.json) print(`\n${chosen.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function readFlags(): Flags | string {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        trials: { type: 'string' },
        link: { type: 'string', default: 'direct' },
        seed: { type: 'string' },
        only: { type: 'string' },
        short: { type: 'boolean', default: false },
        output: { type: 'string', short: 'o', default: 'text' },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const unknown = positionals.filter((name) => !scenarios.some((scenario) => scenario.name === name));
    if (unknown.length > 0) return `no such check: ${unknown.join(', ')}`;
    if (values.trials !== undefined && !/^[1-9]\d*$/.test(values.trials)) return '--trials takes a number above 0';
    if (values.output !== 'json' && values.output !== 'text') return '-o takes json or text';
    const { link, short } = values;
    if (link !== 'direct' && link !== 'nats') return '--link takes direct or nats';
    if (values.seed !== undefined && !/^\d+$/.test(values.seed)) return '--seed takes a number';
    const seed = values.seed === undefined ? {} : { seed: Number(values.seed) };
    const trials = values.trials === undefined ? null : Number(values.trials);
    const only = values.only === undefined ? {} : { only: values.only };
    const context = { link, short, ...seed, ...only } as const;
    const { list, help } = values;
    return { names: positionals, trials, context, json: values.output === 'json', list, help };
  } catch (error) {
    return (error as Error).message;
  }
}

/** False if it failed. */
async function runOne(scenario: Scenario, flags: Flags): Promise<boolean> {
  const trials = flags.trials ?? scenario.trials;
  const startMs = performance.now();
  const loadBefore = loadavg()[0] ?? 0;
  const say = (line: string): void => {
    process.stderr.write(`  ${line}\n`);
  };
  if (!flags.json) print(`\n${scenario.name}: ${scenario.summary} (${trials})`);
  let outcome: Report;
  try {
    outcome = await scenario.run({ ...flags.context, trials, say });
  } catch (error) {
    outcome = { figures: [], violations: [error instanceof Error ? (error.stack ?? error.message) : String(error)] };
  }
  const problems = [...tooSlow(outcome), ...outcome.violations];
  const seconds = Math.round((performance.now() - startMs) / 1_000);
  const load = [loadBefore, loadavg()[0] ?? 0].map((value) => Number(value.toFixed(1)));
  if (flags.json)
    print(JSON.stringify({ check: scenario.name, trials, seconds, load, ...outcome, violations: problems }));
  else printReport({ ...outcome, violations: problems }, `${seconds} s, load of the machine ${load.join(' to ')}`);
  return problems.length === 0;
}

function printReport({ figures, violations, skipped }: Report, circumstances: string): void {
  const width = Math.max(0, ...figures.map(({ name }) => name.length));
  for (const { name, value, unit, max } of figures) {
    print(`  ${name.padEnd(width)}  ${show(value).padStart(7)} ${unit}${max === undefined ? '' : ` (at most ${max})`}`);
  }
  for (const violation of violations) print(`  VIOLATED: ${violation}`);
  print(
    `  ${skipped === undefined ? (violations.length === 0 ? 'ok' : 'failed') : `skipped: ${skipped}`}; ${circumstances}`,
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
