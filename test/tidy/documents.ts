import type { buildProgram } from '@skerry/cli';
import type { SourceFile } from './source.ts';

type Command = Awaited<ReturnType<typeof buildProgram>>;

/** A line of a document that is meant to be typed. */
export interface DocumentedCommand {
  readonly path: string;
  readonly line: number;
  readonly words: readonly string[];
}

/** Lines of `sh` blocks that call one of `programs`, as words, up to a pipe and without comments. */
export function commandsOf(file: SourceFile, programs: readonly string[]): DocumentedCommand[] {
  const commands: DocumentedCommand[] = [];
  let inBlock = false;
  for (const [i, line] of file.text.split('\n').entries()) {
    if (line.startsWith('```')) inBlock = !inBlock && line === '```sh';
    else if (inBlock) {
      const words =
        line
          .replace(/\s#.*$/, '')
          .split('|')[0]
          ?.trim()
          .split(/\s+/) ?? [];
      if (programs.includes(words[0] ?? '')) commands.push({ path: file.path, line: i + 1, words: words.slice(1) });
    }
  }
  return commands;
}

/** Why `program` would not take these words; null if it would. Runs nothing. */
export async function parseProblem(program: Command, words: readonly string[]): Promise<string | null> {
  const disarm = (command: Pick<Command, 'commands' | 'action'>): void => {
    if (command.commands.length === 0) command.action(() => {});
    for (const child of command.commands) disarm(child);
  };
  disarm(program);
  try {
    await program.parseAsync(words, { from: 'user' });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
