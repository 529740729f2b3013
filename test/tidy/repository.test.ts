import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import layersFile from '../../infra/layers.json' with { type: 'json' };
import { layerFindings, manifestFindings, pictureProblems, type Layers } from './layers.ts';
import {
  defaultExportFindings,
  enumFindings,
  impureFindings,
  lengthFindings,
  machinePathFindings,
  skippedTestFindings,
  sleepingTestFindings,
  suppressionFindings,
} from './rules.ts';
import { readFiles, readSource, report, repositoryRoot, type Finding, type SourceFile } from './source.ts';

const { comment: _, ...drawn } = layersFile;
const layers: Layers = drawn;
const sources = ['packages', 'test', 'infra'].flatMap((folder) => readFiles(folder, ['.ts', '.mjs', '.js']));
const documents = [
  ...readFiles('docs', ['.md']),
  ...readdirSync(repositoryRoot)
    .filter((name) => /\.(md|json|yaml|ts)$/.test(name) && name !== 'pnpm-lock.yaml')
    .map(readSource),
];

function findingsOf(rule: (file: SourceFile) => Finding[], files: readonly SourceFile[] = sources): string {
  return report(files.flatMap(rule));
}

describe('the house keeps its rules:', () => {
  test('there are sources to look at', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(documents.length).toBeGreaterThan(3);
  });

  test('the layers are possible and name the packages there are', () => {
    const packages = readdirSync(join(repositoryRoot, 'packages')).filter((name) =>
      existsSync(join(repositoryRoot, 'packages', name, 'package.json')),
    );
    expect(pictureProblems(layers)).toEqual([]);
    expect(Object.keys(layers).toSorted()).toEqual(packages.toSorted());
  });

  test('imports follow the arrows, through the index', () => {
    expect(findingsOf((file) => layerFindings(file, layers))).toBe('');
  });

  test('so do the dependencies in the manifests', () => {
    const manifests = Object.keys(layers).map((name) => readSource(`packages/${name}/package.json`));
    expect(findingsOf((file) => manifestFindings(file, layers), manifests)).toBe('');
  });

  test('pure packages know no clock, no chance and no I/O', () => {
    expect(findingsOf((file) => impureFindings(file, layers))).toBe('');
  });

  test.each<[string, (file: SourceFile) => Finding[]]>([
    ['no file is longer than 500 lines', lengthFindings],
    ['no default exports', defaultExportFindings],
    ['no enums', enumFindings],
    ['no test left out without a reason', skippedTestFindings],
    ['no check switched off without a reason', suppressionFindings],
    ['no test that sleeps without a reason', sleepingTestFindings],
  ])('%s', (_name, rule) => {
    expect(findingsOf(rule)).toBe('');
  });

  test('no paths of one machine, in sources or documents', () => {
    expect(findingsOf(machinePathFindings, [...sources, ...documents])).toBe('');
  });
});
