import { isName, regionId, type RegionId } from '@skerry/base';
import type { RegionStatus } from '@skerry/protocol';
import { Command } from 'commander';
import { fetchRegions } from '../admin.ts';
import {
  callOptions,
  collectList,
  onSession,
  withConnection,
  withDeadline,
  type CliContext,
  type DeadlineFlags,
  type Session,
} from '../command.ts';
import { CliError, exitCode, type ExitCode } from '../exit-code.ts';
import { formatJson, formatTable } from '../output.ts';
import type { ConnectionFlags } from '../settings.ts';

type CallFlags = ConnectionFlags & DeadlineFlags;

/** How the regions are seen from one of them, or why that is not known. */
interface View {
  readonly from: RegionId;
  readonly regions: readonly RegionStatus[];
  readonly problem: string | null;
}

export function regionCommand(context: CliContext): Command {
  const region = new Command('region').description('the regions and how far they are apart').addHelpText(
    'after',
    `
Examples:
  skerry region ls
  skerry region ls --all
  skerry region add region-4 --peer ws://10.4.0.1:7111,ws://10.4.0.2:7111
  skerry region evict region-4`,
  );
  for (const make of [listCommand, addCommand, evictCommand]) region.addCommand(make(context));
  return region;
}

function listCommand(context: CliContext): Command {
  const command = withConnection(new Command('ls'))
    .description('list them, with what is under way between them')
    .option('--all', 'as seen from each region, not only from the one that is asked')
    .addHelpText(
      'after',
      `
BEHIND counts what the region did and this one has not applied, as far as it is known here; LAG says for how long.
UNCONFIRMED counts what this region did and the other one has not said to have applied. CLOCK is how far the clock of
the other region is ahead. With --all, each line begins with the region that "this one" is.`,
    );
  return onSession<ConnectionFlags & { all?: boolean }>(context, command, async (session, { all }) => {
    const regions = await session.db.regions({ signal: session.terminal.interrupted });
    const views = all === true ? await askAll(regions, session) : [viewOf(regions)];
    const { terminal, output } = session;
    if (output === 'table') terminal.out(regionTable(views, all === true));
    else terminal.out(formatJson(all === true ? views.map(jsonView) : regions));
    return views.some(({ problem }) => problem !== null) ? exitCode.refused : exitCode.valid;
  });
}

function addCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('add')))
    .description('exchange everything with another region from now on; it must know this one, too')
    .argument('<region>')
    .requiredOption(
      '--peer <urls>',
      'where its nodes listen for nodes: ws://host:port, separated by commas',
      collectList,
    );
  return onSession<CallFlags & { peer: string[] }>(context, command, async (session, flags, [name = '']) => {
    await session.db.addRegion(nameOf(name), flags.peer, callOptions(flags, session.terminal));
    return done(session);
  });
}

function evictCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('evict')))
    .description('exchange nothing with a region any more, and keep nothing for it')
    .argument('<region>');
  return onSession<CallFlags>(context, command, async (session, flags, [name = '']) => {
    await session.db.evictRegion(nameOf(name), callOptions(flags, session.terminal));
    return done(session);
  });
}

function viewOf(regions: readonly RegionStatus[]): View {
  const own = regions.find(({ state }) => state === 'self');
  return { from: own?.region ?? ('' as RegionId), regions, problem: null };
}

/** The view of the region that was asked, then that of each other one, by the first of its nodes that answers. */
async function askAll(regions: readonly RegionStatus[], { terminal }: Session): Promise<View[]> {
  const others = regions.filter(({ state }) => state !== 'self' && state !== 'evicted');
  const views = others.map(async ({ region, nodes }): Promise<View> => {
    let problem = 'none of its nodes is known';
    for (const { node, adminUrl } of nodes) {
      const reply = await fetchRegions(adminUrl, terminal.interrupted);
      if (!('problem' in reply)) return { from: region, regions: reply.regions, problem: null };
      problem = `${node}: ${reply.problem}`;
    }
    return { from: region, regions: [], problem };
  });
  return [viewOf(regions), ...(await Promise.all(views))];
}

interface Row {
  readonly from: RegionId;
  /** null: only `problem` is known. */
  readonly status: RegionStatus | null;
  readonly problem: string | null;
}

function regionTable(views: readonly View[], isAll: boolean): string {
  const rows = views.flatMap(({ from, regions, problem }): Row[] => {
    if (problem !== null) return [{ from, status: null, problem }];
    const shown = isAll ? regions.filter(({ state }) => state !== 'self') : regions;
    return shown.map((status) => ({ from, status, problem }));
  });
  const ofOther = (row: Row, cell: (status: RegionStatus) => string | number | null): string | number | null =>
    row.status === null || row.status.state === 'self' ? null : cell(row.status);
  return formatTable(rows, [
    ...(isAll ? [{ heading: 'FROM', cell: ({ from }: Row) => from }] : []),
    { heading: 'REGION', cell: ({ status }) => status?.region ?? null },
    { heading: 'STATE', cell: ({ status, problem }) => status?.state ?? problem },
    { heading: 'NODES', cell: ({ status }) => status?.nodes.length ?? null, alignRight: true },
    { heading: 'BEHIND', cell: (row) => ofOther(row, behind), alignRight: true },
    { heading: 'LAG', cell: (row) => ofOther(row, (status) => seconds(lagMs(status))), alignRight: true },
    { heading: 'UNCONFIRMED', cell: (row) => ofOther(row, unconfirmed), alignRight: true },
    { heading: 'CLOCK', cell: (row) => ofOther(row, clock), alignRight: true },
  ]);
}

function behind({ partitions }: RegionStatus): number {
  return partitions.reduce((sum, { head, applied }) => sum + Math.max(0, head - applied), 0);
}

function lagMs({ partitions }: RegionStatus): number {
  return Math.max(0, ...partitions.map((partition) => partition.lagMs));
}

function unconfirmed({ partitions }: RegionStatus): number {
  return partitions.reduce((sum, { unacknowledged }) => sum + unacknowledged, 0);
}

function clock({ clockOffsetMs }: RegionStatus): string | null {
  return clockOffsetMs === null ? null : `${clockOffsetMs > 0 ? '+' : ''}${seconds(clockOffsetMs)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(3)}s`;
}

function jsonView({ from, regions, problem }: View): object {
  return problem === null ? { from, regions } : { from, problem };
}

function done({ terminal, output }: Session): ExitCode {
  terminal.out(output === 'json' ? formatJson({ done: true }) : 'done\n');
  return exitCode.valid;
}

function nameOf(text: string): RegionId {
  if (!isName(text)) throw new CliError(`${text} is no name of a region`);
  return regionId(text);
}
