import { isName, nodeId, type NodeId } from '@skerry/base';
import { Command } from 'commander';
import {
  callOptions,
  onSession,
  parseIndex,
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

interface AddressFlags extends CallFlags {
  readonly peer: string;
  readonly client: string;
  readonly admin: string;
  readonly learner?: boolean;
}

export function memberCommand(context: CliContext): Command {
  const member = new Command('member').description('the nodes of a region').addHelpText(
    'after',
    `
Examples:
  skerry member ls
  skerry member add region-1-4 --peer ws://10.0.0.4:7111 --client ws://10.0.0.4:7110 --admin http://10.0.0.4:7112
  skerry member replace region-1-3 region-1-4 --peer ws://10.0.0.4:7111 --client ws://10.0.0.4:7110 --admin http://10.0.0.4:7112
  skerry member transfer region-1-2`,
  );
  for (const make of [listCommand, addCommand, removeCommand, replaceCommand, transferCommand])
    member.addCommand(make(context));
  return member;
}

function listCommand(context: CliContext): Command {
  const command = withConnection(new Command('ls')).description('list them');
  return onSession<ConnectionFlags>(context, command, async ({ db, terminal, output }) => {
    const members = await db.members();
    terminal.out(
      output === 'json'
        ? formatJson(members)
        : formatTable(members, [
            { heading: 'NODE', cell: ({ node }) => node },
            { heading: 'ROLE', cell: ({ role }) => role },
            { heading: 'CLIENTS', cell: ({ clientUrl }) => clientUrl || null },
            { heading: 'ADMINISTRATION', cell: ({ adminUrl }) => adminUrl || null },
          ]),
    );
    return exitCode.valid;
  });
}

function addCommand(context: CliContext): Command {
  const command = withAddresses(new Command('add'))
    .description('let a node take part; start it with --join')
    .argument('<node>');
  return onSession<AddressFlags>(context, command, (session, flags, [node = '']) => {
    return change(session, flags, { add: [specOf(node, flags)], remove: [] });
  });
}

function removeCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('remove')))
    .description('let a node take part no more')
    .argument('<node>');
  return onSession<CallFlags>(context, command, (session, flags, [node = '']) => {
    return change(session, flags, { add: [], remove: [nameOf(node)] });
  });
}

function replaceCommand(context: CliContext): Command {
  const command = withAddresses(new Command('replace'))
    .description('let one node take the place of another in a single change')
    .argument('<old>')
    .argument('<new>');
  return onSession<AddressFlags>(context, command, (session, flags, [old = '', node = '']) => {
    if (old === node)
      throw new CliError('a node that lost its data keeps its name: start it with skerry server --rebuild instead');
    return change(session, flags, { add: [specOf(node, flags)], remove: [nameOf(old)] });
  });
}

function transferCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('transfer')))
    .description('hand leadership over')
    .argument('[node]', 'to whom; the leader chooses if left out')
    .option('--partition <number>', 'of this partition alone, as skerry status numbers them', parseIndex);
  return onSession<CallFlags & { partition?: number }>(context, command, async (session, flags, [node]) => {
    await session.db.transferLeadership(
      { partition: flags.partition ?? null, to: node === undefined ? null : nameOf(node) },
      callOptions(flags, session.terminal),
    );
    return done(session);
  });
}

type MemberChange = Parameters<Session['db']['changeMembers']>[0];

async function change(session: Session, flags: CallFlags, members: MemberChange): Promise<ExitCode> {
  await session.db.changeMembers(members, callOptions(flags, session.terminal));
  return done(session);
}

function done({ terminal, output }: Session): ExitCode {
  terminal.out(output === 'json' ? formatJson({ done: true }) : 'done\n');
  return exitCode.valid;
}

function withAddresses(command: Command): Command {
  return withDeadline(withConnection(command))
    .requiredOption('--peer <url>', 'where the new node listens for nodes, as ws://host:port')
    .requiredOption('--client <url>', 'where it listens for clients, as ws://host:port')
    .requiredOption('--admin <url>', 'where its administration listens, as http://host:port')
    .option('--learner', 'it gets all data and has no vote');
}

function specOf(node: string, flags: AddressFlags): MemberChange['add'][number] {
  return {
    node: nameOf(node),
    peerUrl: flags.peer,
    clientUrl: flags.client,
    adminUrl: flags.admin,
    learner: flags.learner === true,
    replica: null,
  };
}

function nameOf(text: string): NodeId {
  if (!isName(text)) throw new CliError(`${text} is no name of a node`);
  return nodeId(text);
}
