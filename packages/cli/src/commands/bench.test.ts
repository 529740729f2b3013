import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CliContext } from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { testTerminal } from '../testing/test-terminal.ts';
import { benchCommand } from './bench.ts';

let folder: string;
let context: CliContext;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-bench-command-'));
  const connect: CliContext['connect'] = () => Promise.reject(new Error('nobody is to be asked'));
  context = { terminal: testTerminal(), connect, exit: exitCode.valid };
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test.each([
  { typed: ['--quick', '-o', 'json', '--only', 'skerry'], told: ['--quick', '-o', 'json', '--only', 'skerry'] },
  { typed: ['--', '--help'], told: ['--help'] },
])('hands $typed to the benchmarks, and ends with their exit code', async ({ typed, told }) => {
  const program = join(folder, 'run.mjs');
  const said = join(folder, 'said.json');
  const writeArguments = `writeFileSync(${JSON.stringify(said)}, JSON.stringify(process.argv.slice(2)))`;
  writeFileSync(program, `import { writeFileSync } from 'node:fs';\n${writeArguments};\nprocess.exit(3);\n`);
  await benchCommand(context, program).parseAsync(typed, { from: 'user' });
  expect(JSON.parse(readFileSync(said, 'utf8'))).toEqual(['bench', ...told]);
  expect(context.exit).toBe(3);
});

test('says where benchmarks are to be had when they are not there', async () => {
  const command = benchCommand(context, join(folder, 'nothing.mjs'));
  await expect(command.parseAsync(['--quick'], { from: 'user' })).rejects.toThrow(/in a clone of the repository/);
});
