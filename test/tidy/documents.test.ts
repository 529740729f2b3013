import { buildProgram, type CliContext, type Terminal } from '@skerry/cli';
import { describe, expect, test } from 'vitest';
import { commandsOf, parseProblem } from './documents.ts';
import { readFiles, readSource } from './source.ts';

const terminal: Terminal = {
  out: () => {},
  err: () => {},
  errIsTty: false,
  readInput: () => Promise.resolve(new Uint8Array()),
  env: {},
  interrupted: new AbortController().signal,
};
const context: CliContext = { terminal, connect: () => Promise.reject(new Error('nothing is run here')), exit: 0 };

const documents = [...['README.md', 'HACKING.md', 'ARCHITECTURE.md'].map(readSource), ...readFiles('docs', ['.md'])];
const { scripts } = JSON.parse(readSource('package.json').text) as { scripts: Record<string, string> };

describe('the documents', () => {
  const skerry = documents.flatMap((file) => commandsOf(file, ['skerry', './skerry']));

  test('show commands', () => {
    expect(skerry.length).toBeGreaterThan(20);
  });

  test.each(skerry.map((command) => [`${command.path}:${command.line}`, command] as const))(
    '%s is a command that there is',
    async (_, { words }) => {
      expect(await parseProblem(await buildProgram(context, words[0]), words)).toBeNull();
    },
  );

  test('name npm scripts that there are', () => {
    const named = documents.flatMap(({ text }) =>
      [...text.matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1] ?? ''),
    );
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  test('link to files that there are', () => {
    const broken = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].flatMap((match) => {
        const folder = path.split('/').slice(0, -1).join('/');
        const target = `${folder === '' ? '' : `${folder}/`}${match[1]}`;
        return exists(target) ? [] : [`${path} → ${target}`];
      }),
    );
    expect(broken).toEqual([]);
  });
});

describe('the examples in every help text', () => {
  test('are commands that there are', async () => {
    const program = await buildProgram(context);
    const problems: string[] = [];
    let examples = 0;
    const visit = async (words: readonly string[]): Promise<void> => {
      for (const line of (await helpOf([...words, '--help'])).split('\n')) {
        const example = /^ {2}skerry (.*?)(?: {2,}.*)?$/.exec(line)?.[1]?.split(' ');
        if (example === undefined) continue;
        examples++;
        const problem = await parseProblem(await buildProgram(context, example[0]), example);
        if (problem !== null) problems.push(`${line.trim()}: ${problem}`);
      }
      const command = words.reduce(
        (found, word) => found.commands.find((child) => child.name() === word) ?? found,
        program,
      );
      for (const child of command.commands) await visit([...words, child.name()]);
    };
    await visit([]);
    expect(examples).toBeGreaterThan(15);
    expect(problems).toEqual([]);
  });

  async function helpOf(words: readonly string[]): Promise<string> {
    let text = '';
    const printing = {
      ...context,
      terminal: { ...terminal, out: (data: string | Uint8Array) => void (text += String(data)) },
    };
    await (await buildProgram(printing)).parseAsync(words, { from: 'user' }).catch(() => {});
    return text;
  }
});

describe('the rule', () => {
  test('finds commands in sh blocks only, without comments and pipes', () => {
    const text =
      '```sh\n./skerry kv get a   # comment\nother x\nskerry status | head\n```\n```ts\n./skerry no\n```\n./skerry no\n';
    expect(commandsOf({ path: 'a.md', text }, ['skerry', './skerry']).map(({ words }) => words.join(' '))).toEqual([
      'kv get a',
      'status',
    ]);
  });

  test.each([['kv frob a'], ['kv get'], ['kv get a --frob'], ['frob']])('refuses %j', async (line) => {
    const words = line.split(' ');
    expect(await parseProblem(await buildProgram(context, words[0]), words)).toMatch(/unknown|missing/);
  });
});

function exists(path: string): boolean {
  try {
    readSource(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EISDIR';
  }
}
