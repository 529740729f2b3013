import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { onSession, withConnection, type CliContext } from '../command.ts';
import { CliError, exitCode } from '../exit-code.ts';
import { readProblem } from '../files/walk.ts';
import { formatJson } from '../output.ts';
import type { ConnectionFlags } from '../settings.ts';

export function logCommand(context: CliContext): Command {
  const log = new Command('log').description('read logs, each record once');
  const last = withConnection(new Command('last'))
    .description('print the records of a log that no call has printed before for that server')
    .argument('<server>', 'whose log it is: any name; the position of each is kept in the cluster')
    .argument('<file>', 'the log, or - for standard input; a last line without its end is left for the next call')
    .addHelpText(
      'after',
      `
However many calls race, each record is printed by one of them. Waits for a majority.

Example:
  skerry log last this-machine /var/log/dpkg.log`,
    );
  log.addCommand(
    onSession<ConnectionFlags>(context, last, async ({ db, terminal, output }, _flags, [server = '', file = '']) => {
      // Text of another encoding would come out changed, but as a file of bytes in Latin-1 it comes out as it was.
      const text = Buffer.from(file === '-' ? await terminal.readInput() : readLog(file)).toString('latin1');
      const fresh = await db.getLastLog(server, text, terminal.interrupted);
      const bytes = Buffer.from(fresh, 'latin1');
      if (output === 'json')
        terminal.out(formatJson({ server, records: bytes.toString('utf8').split('\n').slice(0, -1) }));
      else terminal.out(bytes);
      return exitCode.valid;
    }),
  );
  return log;
}

function readLog(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${readProblem(error)}`);
  }
}
