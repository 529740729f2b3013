import type { Layers } from './layers.ts';
import { codeOnly, findLines, isShipped, isTest, packageOf, type Finding, type SourceFile } from './source.ts';

/** Clock, chance and I/O in a package that is told the time and given its chance. */
export function impureFindings(file: SourceFile, layers: Layers): Finding[] {
  const name = packageOf(file.path);
  if (name === null || layers[name]?.pure !== true || !isShipped(file.path)) return [];
  const impure =
    /(?<![.\w$])(Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|process|fetch|console|crypto)\b(?!\s*[:?](?!:))|Math\.random/;
  return findLines(
    file,
    codeOnly(file.text),
    impure,
    ([word]) => `${word} in a pure package: take time, chance and I/O as arguments or ports`,
  );
}

const linesMax = 500;

export function lengthFindings(file: SourceFile): Finding[] {
  const lines = file.text.trimEnd().split('\n').length;
  if (lines <= linesMax) return [];
  return [
    {
      path: file.path,
      line: linesMax + 1,
      message: `${lines} lines, at most ${linesMax}: find the second thing in it and move that out`,
    },
  ];
}

export function defaultExportFindings(file: SourceFile): Finding[] {
  // Tools want their configuration as a default export.
  if (/\.config\.[cm]?[jt]s$/.test(file.path)) return [];
  return findLines(
    file,
    codeOnly(file.text),
    /^\s*export\s+default\b|\bas\s+default\b/,
    () => 'default export: give it a name',
  );
}

export function enumFindings(file: SourceFile): Finding[] {
  const pattern = /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/;
  return findLines(file, codeOnly(file.text), pattern, () => 'enum: use a union of string literals');
}

/** `.only` never; a test that is not always run says why: `(skipped without …)` in its name, or a comment there or above. */
export function skippedTestFindings(file: SourceFile): Finding[] {
  if (!isTest(file.path)) return [];
  const code = codeOnly(file.text);
  const only = findLines(
    file,
    code,
    /\b(?:test|it|describe|suite)(?:\.\w+)*\.only\b/,
    () => '.only leaves the other tests out: remove it',
  );
  const conditional = /\b(?:test|it|describe|suite)(?:\.\w+)*\.(skip|skipIf|runIf|todo)\b|\bcontext\.skip\(/;
  const skipped = findLines(
    file,
    code,
    conditional,
    ([word]) => `${word} without a reason: say why in a comment here or on the line above`,
  );
  return [...only, ...skipped.filter(({ line }) => !hasReason(file, line))];
}

function hasReason(file: SourceFile, line: number): boolean {
  const lines = file.text.split('\n');
  return (
    /\/\/\s*\S|\*\/|\(skipped \w/.test(lines[line - 1] ?? '') || /^\s*(?:\/\/|\*|\/\*)\s*\S/.test(lines[line - 2] ?? '')
  );
}

/** A lint or type check that is switched off says why. */
export function suppressionFindings(file: SourceFile): Finding[] {
  const pattern =
    /(?:eslint|oxlint)-disable(?:-next-line|-line)?\b(?!.*\s--\s+\S)|@ts-(?:ignore|nocheck)\b|@ts-expect-error\b(?!\s*:?\s*\S)/;
  return findLines(
    file,
    file.text,
    pattern,
    ([word]) => `${word.trim()} without a reason: say why after it (-- reason)`,
  );
}

/** Folders of somebody's machine have no place in a repository. */
export function machinePathFindings(file: SourceFile): Finding[] {
  const pattern = /(?<![\w.@~$}-])\/(?:work|root|home\/\w+|Users\/\w+|mnt\/\w+)\/\w/;
  return findLines(
    file,
    file.text,
    pattern,
    ([path]) => `${path}… is a path of one machine: make it relative or an argument`,
  );
}

/** A test that waits for time to pass is slow when it passes and wrong when the machine is busy. */
export function sleepingTestFindings(file: SourceFile): Finding[] {
  if (!isTest(file.path)) return [];
  const pattern = /setTimeout\(\s*(?:resolve|done|r)\b|\bawait\s+(?:sleep|delay|setTimeout)\(/;
  return findLines(
    file,
    codeOnly(file.text),
    pattern,
    () => 'a test that sleeps: wait for the event, or say why in a comment',
  ).filter(({ line }) => !hasReason(file, line));
}
