import { Command, Option } from 'commander';
import { collectList, onSession, parseCount, withConnection, type CliContext, type Session } from '../command.ts';
import { checkConvergence, type DifferingKey, type Verdict } from '../convergence/check.ts';
import { sameEntry } from '../convergence/entries.ts';
import { CliError, exitCode } from '../exit-code.ts';
import { Spinner } from '../files/report.ts';
import { formatJson, formatTable, shorten, visible } from '../output.ts';
import type { ConnectionFlags } from '../settings.ts';
import { jsonOrWhyNot, shownOf, textOrWhyNot } from '../shown.ts';

interface ConvergenceFlags extends ConnectionFlags {
  readonly region?: readonly string[];
  readonly allRegions?: boolean;
  readonly timeout: number;
  readonly limit: number;
}

export function convergenceCommand(context: CliContext): Command {
  const command = withConnection(new Command('convergence'))
    .description('compare every key on all nodes of all regions; exit code 1 if they are not equal in time')
    .addOption(new Option('--all-regions', 'the nodes of all regions (the default)').conflicts('region'))
    .option('--region <names>', 'of these regions only, separated by commas', collectList)
    .option('--timeout <ms>', 'how long to wait for them to become equal', parseCount, 30_000)
    .option('--limit <count>', 'print so many differing keys at most', parseCount, 20)
    .addHelpText(
      'after',
      `
Compares versions and values of each node's local view, and waits until no node holds a quorum-less write that is not
promoted. A node that cannot be reached is not equal to the others. Writes that go on meanwhile may keep it from ending.

Example:
  skerry check convergence --timeout 60000`,
    );
  return onSession<ConvergenceFlags>(context, command, async (session, flags) => {
    const { db, terminal, output } = session;
    const spinner = new Spinner(terminal);
    let verdict: Verdict;
    try {
      verdict = await checkConvergence(db, {
        connect: context.connect,
        signal: terminal.interrupted,
        regions: flags.region ?? null,
        timeoutMs: flags.timeout,
        limit: flags.limit,
        onProgress: (text) => {
          spinner.show(text);
        },
      });
    } catch (error) {
      if (terminal.interrupted.aborted) throw new CliError('interrupted before there was a verdict');
      throw error;
    } finally {
      spinner.end();
    }
    if (output === 'json') terminal.out(formatJson(await verdictJson(verdict)));
    else await printVerdict(session, verdict);
    return verdict.isEqual ? exitCode.valid : exitCode.failure;
  });
}

async function printVerdict({ terminal }: Session, verdict: Verdict): Promise<void> {
  const { nodes, keyCount, differing, differingCount, missing, pending, evicted } = verdict;
  if (differing.length > 0) {
    const rows = [];
    for (const { key, views } of differing) {
      for (const [view, ...others] of groupsOf(views)) {
        if (view === undefined) continue;
        const names = [view, ...others].map(({ node }) => node).join(', ');
        rows.push({ key, names, version: view.entry?.version ?? null, text: await valueText(view) });
      }
    }
    terminal.out(
      formatTable(rows, [
        { heading: 'KEY', cell: ({ key }) => key },
        { heading: 'VERSION', cell: ({ version }) => version },
        { heading: 'VALUE', cell: ({ text }) => text },
        { heading: 'NODES', cell: ({ names }) => names },
      ]),
    );
  }
  for (const { region, node, problem } of missing)
    terminal.err(`not compared: ${visible(node ?? region)}: ${visible(problem)}\n`);
  for (const { node, count } of pending) terminal.err(`${visible(node)} holds ${count} writes that are not promoted\n`);
  for (const region of evicted) terminal.err(`not compared: ${visible(region)} is evicted\n`);
  const regionCount = new Set(nodes.map(({ region }) => region)).size;
  const where = `${nodes.length} nodes of ${regionCount} ${regionCount === 1 ? 'region' : 'regions'}`;
  if (verdict.isEqual) terminal.out(`equal: ${keyCount} keys on ${where}\n`);
  else
    terminal.out(
      `${differingCount === 0 ? 'not known to be equal' : `${differingCount} keys differ`}: ${keyCount} keys on ${where}\n`,
    );
}

type NodeView = DifferingKey['views'][number];

/** Nodes that have the same. */
function groupsOf(views: readonly NodeView[]): NodeView[][] {
  const groups: NodeView[][] = [];
  for (const view of views) {
    const group = groups.find(([first]) => first !== undefined && sameEntry(first.entry, view.entry));
    if (group === undefined) groups.push([view]);
    else group.push(view);
  }
  return groups;
}

const previewLengthMax = 60;

async function valueText({ entry }: NodeView): Promise<string> {
  const shown = entry === null ? null : shownOf(entry);
  return shown === null ? '(no key)' : shorten(await textOrWhyNot(shown), previewLengthMax);
}

async function verdictJson(verdict: Verdict): Promise<object> {
  const { isEqual, nodes, keyCount, differing, differingCount, missing, pending, evicted } = verdict;
  const told = [];
  for (const { key, views } of differing) {
    const values = [];
    for (const { region, node, entry } of views) {
      const shown = entry === null ? null : shownOf(entry);
      values.push({
        region,
        node,
        version: entry?.version ?? null,
        value: shown === null ? null : await jsonOrWhyNot(shown),
      });
    }
    told.push({ key, values });
  }
  const compared = nodes.map(({ region, node }) => ({ region, node }));
  return {
    equal: isEqual,
    keys: keyCount,
    differing: differingCount,
    differingKeys: told,
    compared,
    missing,
    pending,
    evicted,
  };
}
