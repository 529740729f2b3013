import type { Member, NodeStatus } from '@skerry/protocol';
import { Command } from 'commander';
import { fetchStatus } from '../admin.ts';
import { onSession, withConnection, type CliContext } from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { formatJson, formatTable } from '../output.ts';
import type { ConnectionFlags } from '../settings.ts';

type Reply = NodeStatus | { readonly problem: string };
type PartitionStatus = NodeStatus['partitions'][number];

interface Row {
  readonly member: Member;
  readonly reply: Reply;
  /** null for a node that gave no status. */
  readonly partition: PartitionStatus | null;
}

export function statusCommand(context: CliContext): Command {
  const command = withConnection(new Command('status'))
    .description('print what each node of the region says of itself; exit code 2 if a partition has no quorum')
    .addHelpText('after', '\nExample:\n  skerry status -o json');
  return onSession<ConnectionFlags>(context, command, async ({ db, terminal, output }) => {
    const members = await db.members();
    const replies = await Promise.all(
      members.map(async (member) => ({ member, reply: await fetchStatus(member.adminUrl, terminal.interrupted) })),
    );
    if (output === 'json') {
      terminal.out(
        formatJson(
          replies.map(({ member, reply }) => ({ ...member, ...('problem' in reply ? reply : { status: reply }) })),
        ),
      );
    } else {
      terminal.out(statusTable(replies.flatMap(rowsOf)));
    }
    return hasQuorum(replies.map(({ reply }) => reply)) ? exitCode.valid : exitCode.refused;
  });
}

function rowsOf({ member, reply }: { readonly member: Member; readonly reply: Reply }): Row[] {
  if ('problem' in reply) return [{ member, reply, partition: null }];
  return reply.partitions.map((partition) => ({ member, reply, partition }));
}

function statusTable(rows: readonly Row[]): string {
  return formatTable(rows, [
    { heading: 'NODE', cell: ({ member }) => member.node },
    { heading: 'PARTITION', cell: ({ partition }) => partition?.partition ?? null, alignRight: true },
    { heading: 'ROLE', cell: ({ partition, reply }) => partition?.role ?? ('problem' in reply ? reply.problem : null) },
    { heading: 'TERM', cell: ({ partition }) => partition?.term ?? null, alignRight: true },
    { heading: 'LEADER', cell: ({ partition }) => partition?.leader ?? null },
    { heading: 'COMMITTED', cell: ({ partition }) => partition?.commit ?? null, alignRight: true },
    { heading: 'APPLIED', cell: ({ partition }) => partition?.applied ?? null, alignRight: true },
    { heading: 'PENDING', cell: ({ partition }) => partition?.pending ?? null, alignRight: true },
    { heading: 'DISK', cell: ({ reply }) => ('problem' in reply ? null : reply.storageFull ? 'full' : 'ok') },
  ]);
}

/** Some node says so of each partition that any node names. */
function hasQuorum(replies: readonly Reply[]): boolean {
  const partitions = replies.flatMap((reply) => ('problem' in reply ? [] : reply.partitions));
  const alive = new Set(partitions.filter(({ quorum }) => quorum).map(({ partition }) => partition));
  return partitions.length > 0 && partitions.every(({ partition }) => alive.has(partition));
}
