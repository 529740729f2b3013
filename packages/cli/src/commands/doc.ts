import { readFileSync } from 'node:fs';
import { utf8Decode } from '@skerry/base';
import { Command } from 'commander';
import { printUpdate, printView } from '../answers.ts';
import { onSession, parseCount, withConnection, withDeadline, type CliContext, type Session } from '../command.ts';
import { applyJson, type JsonObject } from '../documents/apply-json.ts';
import { applyEdit, parseDelete, parseEdit } from '../documents/edits.ts';
import { CliError, exitCode } from '../exit-code.ts';
import { readProblem } from '../files/walk.ts';
import { formatJson, visible } from '../output.ts';
import type { ConnectionFlags } from '../settings.ts';
import { shownText, type Shown } from '../shown.ts';
import {
  readOptions,
  withReadFlags,
  withWriteFlags,
  writeOptions,
  type ReadFlags,
  type WriteFlags,
} from './call-flags.ts';

export function docCommand(context: CliContext): Command {
  const doc = new Command('doc')
    .description('JSON documents that merge: edits of all regions come together')
    .addHelpText(
      'after',
      `
Examples:
  skerry doc set app/note '{"title":"Shopping","lines":["bread"]}'
  skerry doc edit app/note title=Groceries 'lines[]=milk'
  skerry doc edit app/note 'lines[0][0:0]=rye ' count:=2
  skerry doc get app/note`,
    );
  for (const make of [getCommand, setCommand, editCommand, watchCommand]) doc.addCommand(make(context));
  return doc;
}

function getCommand(context: CliContext): Command {
  const command = withReadFlags(withDeadline(withConnection(new Command('get'))))
    .description('print the document as JSON; exit code 2 if there is none')
    .argument('<key>');
  return onSession<ReadFlags>(context, command, async (session, flags, [key = '']) => {
    const result = await session.db.read(key, 'document', readOptions(flags, session));
    return printView(session, result, async (shown) => {
      // A character that would drive the terminal stands as JSON escapes it.
      const lines = JSON.stringify(await contentOf(shown), null, 2).split('\n');
      return lines.map((line) => `${visible(line)}\n`).join('');
    });
  });
}

function setCommand(context: CliContext): Command {
  const command = withWriteFlags(withDeadline(withConnection(new Command('set'))))
    .description('make the document read as the JSON object given, changing only what differs')
    .argument('<key>')
    .argument('[json]', 'a JSON object, or - to read it from standard input')
    .option('--file <path>', 'read it from this file')
    .addHelpText(
      'after',
      `
What differs is told key by key, in lists from both ends, and within texts by characters, so that what others change at
the same time is kept. For a text that shall be taken as a whole, use skerry doc edit KEY PATH=TEXT.`,
    );
  return onSession<WriteFlags & { file?: string }>(context, command, async (session, flags, [key = '', json]) => {
    const wanted = parseObject(await jsonText(session, json, flags.file));
    const edit = (draft: JsonObject, text: Parameters<typeof applyJson>[2]): void => {
      applyJson(draft, wanted, text);
    };
    return printUpdate(session, await session.db.update(key, { type: 'document', edit }, writeOptions(flags, session)));
  });
}

function editCommand(context: CliContext): Command {
  const command = withWriteFlags(withDeadline(withConnection(new Command('edit'))))
    .description('change parts of a document; one that is not there begins empty')
    .argument('<key>')
    .argument('[edits...]', 'PATH=TEXT, PATH:=JSON, PATH[]=TEXT or PATH[FROM:TO]=TEXT')
    .option('--delete <path>', 'take this out; may be given several times', (path, all: string[]) => [...all, path], [])
    .addHelpText(
      'after',
      `
  title=Hello         the text Hello; of texts assigned at once in two places, one wins
  count:=3            any JSON
  tags[]=new          at the end of a list; tags[]:=JSON likewise
  body[0:5]=Howdy     in place of characters 0 to 4; body[5:5]=, inserts; these merge
  a.b[0]["x.y"]=1     a path

All edits of one command are one change.`,
    );
  return onSession<WriteFlags & { delete: readonly string[] }>(
    context,
    command,
    async (session, flags, [key = '', ...args]) => {
      const edits = [...args.map(parseEdit), ...flags.delete.map(parseDelete)];
      if (edits.length === 0) throw new CliError('nothing to do: give an edit such as title=Hello, or --delete PATH');
      const edit: Parameters<typeof session.db.update>[1] = {
        type: 'document',
        edit: (draft, text) => {
          for (const each of edits) applyEdit(draft, each, text);
        },
      };
      return printUpdate(session, await session.db.update(key, edit, writeOptions(flags, session)));
    },
  );
}

function watchCommand(context: CliContext): Command {
  const command = withConnection(new Command('watch'))
    .description('print the document, and again after each change, one line of JSON each, until interrupted')
    .argument('<key>')
    .option('--count <count>', 'stop after so many lines', parseCount);
  return onSession<ConnectionFlags & { count?: number }>(
    context,
    command,
    async ({ db, terminal, output }, flags, [key = '']) => {
      let left = flags.count ?? Infinity;
      for await (const { events } of db.watch({ key, prefix: false, cursor: '' }, terminal.interrupted)) {
        for (const { value, view, version } of events) {
          if (left-- <= 0) return exitCode.valid;
          if (value !== null || (view !== undefined && view.type !== 'document'))
            throw new CliError(`${key} is no document now, but a ${view?.type ?? 'register'}`, exitCode.refused);
          if (output === 'json')
            terminal.out(formatJson({ document: view === undefined ? null : await contentOf(view), version }));
          else terminal.out(view === undefined ? '(deleted)\n' : `${visible(await shownText(view))}\n`);
        }
        if (left <= 0) break;
      }
      return exitCode.valid;
    },
  );
}

async function contentOf(shown: Shown): Promise<unknown> {
  return shown.type === 'document' ? shown.read() : null;
}

async function jsonText(session: Session, argument: string | undefined, file: string | undefined): Promise<string> {
  if ((argument === undefined) === (file === undefined))
    throw new CliError('doc set needs the document: as an argument, - for standard input, or --file PATH');
  if (file === undefined && argument !== '-') return argument ?? '';
  const text = utf8Decode(file === undefined ? await session.terminal.readInput() : readFile(file));
  if (text === null) throw new CliError('a document is UTF-8 text');
  return text;
}

function readFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CliError(`cannot read ${path}: ${readProblem(error)}`);
  }
}

function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError(`the document is no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CliError('a document is a JSON object, as in {"title":"Hello"}');
  return value as JsonObject;
}
