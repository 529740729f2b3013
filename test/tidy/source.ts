import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file of the repository; `path` is relative to its root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** What a rule found: where, and what to do instead. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export const repositoryRoot: string = fileURLToPath(new URL('../..', import.meta.url));

const notOurs = new Set(['node_modules', 'dist', '.git', '.skerry', 'coverage', 'tmp']);

/** Every file below `folder` whose name ends in one of `extensions`. */
export function readFiles(folder: string, extensions: readonly string[]): SourceFile[] {
  const files: SourceFile[] = [];
  for (const entry of readdirSync(join(repositoryRoot, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !notOurs.has(entry.name)) files.push(...readFiles(path, extensions));
    if (entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension))) files.push(readSource(path));
  }
  return files;
}

export function readSource(path: string): SourceFile {
  return {
    path: relative(repositoryRoot, join(repositoryRoot, path)).replaceAll('\\', '/'),
    text: readFileSync(join(repositoryRoot, path), 'utf8'),
  };
}

/** Code that ships, as against tests and what helps them. */
export function isShipped(path: string): boolean {
  return /^packages\/[^/]+\/src\//.test(path) && !isTest(path) && !path.includes('/testing/');
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

export function packageOf(path: string): string | null {
  return /^packages\/([^/]+)\//.exec(path)?.[1] ?? null;
}

/** `text` with the insides of comments and strings blanked out, line breaks kept, so that lines still count. */
export function codeOnly(text: string): string {
  const token = /\/\/[^\n]*|\/\*[^]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g;
  return text.replace(token, (match) => match.replace(/[^\n]/g, ' '));
}

/** One finding per line of `text` that `pattern` (not global) matches. */
export function findLines(
  file: SourceFile,
  text: string,
  pattern: RegExp,
  message: (match: RegExpExecArray) => string,
): Finding[] {
  return text.split('\n').flatMap((line, i) => {
    const match = pattern.exec(line);
    return match === null ? [] : [{ path: file.path, line: i + 1, message: message(match) }];
  });
}

/** For an assertion: one line per finding, empty if there is none. */
export function report(findings: readonly Finding[]): string {
  return findings.map(({ path, line, message }) => `${path}:${line}: ${message}`).join('\n');
}
