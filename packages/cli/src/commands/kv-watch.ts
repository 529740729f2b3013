import { Command } from 'commander';
import { onSession, parseCount, withConnection, type CliContext } from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { formatJson, jsonValue, shorten, visible } from '../output.ts';
import type { ConnectionFlags } from '../settings.ts';
import { shownJson, shownOf, shownText, type Shown } from '../shown.ts';

interface WatchFlags extends ConnectionFlags {
  readonly prefix?: boolean;
  readonly fromState?: boolean;
  readonly cursor?: string;
  readonly count?: number;
}

const previewLengthMax = 80;

export function watchCommand(context: CliContext): Command {
  const command = withConnection(new Command('watch'))
    .description('print changes as they are committed, one line each, until interrupted')
    .argument('<key>')
    .option('--prefix', 'all keys that start with this')
    .option('--from-state', 'first the current state')
    .option('--cursor <cursor>', 'go on after this cursor, from an earlier watch with -o json')
    .option('--count <count>', 'stop after so many changes', parseCount)
    .addHelpText(
      'after',
      `
With -o json each change has a cursor; --cursor goes on after it, at any node of the region.

Examples:
  skerry kv watch app/mode
  skerry kv watch app/ --prefix --from-state`,
    );
  return onSession<WatchFlags>(context, command, async ({ db, terminal, output }, flags, [key = '']) => {
    const cursor = flags.cursor ?? (flags.fromState === true ? '' : null);
    let left = flags.count ?? Infinity;
    for await (const batch of db.watch({ key, prefix: flags.prefix === true, cursor }, terminal.interrupted)) {
      for (const [i, event] of batch.events.slice(0, left).entries()) {
        // The cursor stands after the whole batch.
        const last = i === batch.events.length - 1;
        if (output === 'json') {
          const extra = { ...(batch.reset ? { state: true } : {}), ...(last ? { cursor: batch.cursor } : {}) };
          const view = event.view === undefined ? {} : { view: await shownJson(event.view) };
          terminal.out(
            formatJson({ key: event.key, ...jsonValue(event.value), ...view, version: event.version, ...extra }),
          );
        } else {
          terminal.out(`${visible(event.key)}\t${await describe(shownOf(event))}\n`);
        }
      }
      left -= batch.events.length;
      if (left <= 0) break;
    }
    return exitCode.valid;
  });
}

/** A value of another type than a register is led by its type. */
async function describe(shown: Shown | null): Promise<string> {
  if (shown === null) return '(deleted)';
  const text = visible(shorten(await shownText(shown), previewLengthMax));
  return shown.type === 'register' ? text : `${shown.type} ${text}`;
}
