import { readFileSync } from 'node:fs';
import { checkHistory, HistoryError, type HistoryVerdict } from '@skerry/checkers';
import { Command } from 'commander';
import { convergenceCommand } from './check-convergence.ts';
import { onRun, parseCount, withOutput, type CliContext } from '../command.ts';
import { exitCode, type ExitCode } from '../exit-code.ts';
import { formatJson, visible } from '../output.ts';
import { resolveSettings, type OutputFormat } from '../settings.ts';

interface CheckFlags {
  readonly time: number;
  readonly explain?: boolean;
  readonly output?: OutputFormat;
}

export function checkCommand(context: CliContext): Command {
  const check = new Command('check').description('judge what a cluster did');
  const history = withOutput(new Command('history'))
    .description('say for each recorded history whether it is linearizable')
    .argument('<file...>', "Jepsen logs, porcupine's key-value logs, or Skerry's own histories")
    .option('--time <ms>', 'give up on a history after so long, with the verdict unknown', parseCount, 60_000)
    .option('--explain', 'draw the smallest part of the history that is wrong')
    .addHelpText(
      'after',
      `
Prints one line per file: FILE linearizable|violated|unknown. A file that cannot be read as a history, or holds none, is
unknown, and standard error says why. Exit code 0 if all are linearizable, 2 if one is violated, 1 if none is violated but one
could not be read, 3 if one could not be decided in time.

Example:
  skerry check history run.jsonl`,
    );
  check.addCommand(
    onRun<CheckFlags>(context, history, (flags, files) => {
      const { output } = resolveSettings(flags, context.terminal.env);
      const verdicts = files.map((file) => {
        const verdict = judge(file, flags);
        if (verdict.verdict === 'unreadable') {
          context.terminal.err(`skerry: ${visible(verdict.problem)}\n`);
          const asJson = { file, verdict: 'unknown', problem: verdict.problem };
          context.terminal.out(output === 'json' ? formatJson(asJson) : `${file} unknown\n`);
          return verdict.verdict;
        }
        context.terminal.out(
          output === 'json' ? formatJson(jsonVerdict(file, verdict)) : `${file} ${verdict.verdict}\n`,
        );
        if (flags.explain === true && output === 'table' && verdict.verdict === 'violated') {
          context.terminal.out(`${verdict.counterexample.explanation}\n${verdict.counterexample.text}\n`);
        }
        return verdict.verdict;
      });
      return exitCodeOf(verdicts);
    }),
  );
  check.addCommand(convergenceCommand(context));
  return check;
}

interface Unreadable {
  readonly verdict: 'unreadable';
  readonly problem: string;
}

/** One bad file is no reason to leave the others out. */
function judge(file: string, flags: CheckFlags): HistoryVerdict | Unreadable {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { verdict: 'unreadable', problem: `cannot read ${file}: ${(error as Error).message}` };
  }
  try {
    const start = performance.now();
    return checkHistory(text, { time: { elapsedMs: () => performance.now() - start, elapsedMsMax: flags.time } });
  } catch (error) {
    if (error instanceof HistoryError) return { verdict: 'unreadable', problem: `${file}: ${error.message}` };
    throw error;
  }
}

function exitCodeOf(verdicts: readonly (HistoryVerdict | Unreadable)['verdict'][]): ExitCode {
  if (verdicts.includes('violated')) return exitCode.refused;
  if (verdicts.includes('unreadable')) return exitCode.failure;
  return verdicts.includes('unknown') ? exitCode.timeout : exitCode.valid;
}

function jsonVerdict(file: string, verdict: HistoryVerdict): object {
  if (verdict.verdict !== 'violated') return { file, ...verdict };
  const { counterexample, ...rest } = verdict;
  return { file, ...rest, explanation: counterexample.explanation, timeline: counterexample.text };
}
