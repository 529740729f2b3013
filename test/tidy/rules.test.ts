import { describe, expect, test } from 'vitest';
import { importsOf, layerFindings, manifestFindings, pictureProblems, type Layers } from './layers.ts';
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
import type { Finding, SourceFile } from './source.ts';

const layers: Layers = {
  base: { pure: true, packages: [], externals: [] },
  raft: { pure: true, packages: ['base'], externals: [] },
  client: { packages: ['base'], externals: ['ws', '@scope/name'] },
};

function source(path: string, ...lines: string[]): SourceFile {
  return { path, text: `${lines.join('\n')}\n` };
}

function linesOf(findings: readonly Finding[]): number[] {
  return findings.map(({ line }) => line);
}

describe('layers', () => {
  test('find every form of import, and none in comments', () => {
    const text =
      "import { a } from './a.ts';\n// import './no.ts'\nimport './b.ts';\nexport * from \"./c.ts\";\nawait import('./d.ts');\nimport {\n  e,\n} from './e.ts';\n";
    expect(importsOf(text).map(({ specifier }) => specifier)).toEqual([
      './a.ts',
      './b.ts',
      './c.ts',
      './d.ts',
      './e.ts',
    ]);
  });

  test.each([
    ['an arrow that goes up', "import { x } from '@skerry/client';", 'raft may not import client'],
    ['an import past the index', "import { x } from '@skerry/base/src/ids.ts';", 'goes past the index.ts of base'],
    ['a file of another package', "import { x } from '../../base/src/ids.ts';", 'leaves the package'],
    ['a module of Node', "import { x } from 'node:fs';", 'raft may not import node:fs'],
    ['a type alone', "import type { x } from 'ws';", 'raft may not import ws'],
  ])('refuse %s', (_, line, message) => {
    expect(layerFindings(source('packages/raft/src/a.ts', line), layers)).toEqual([
      { path: 'packages/raft/src/a.ts', line: 1, message: expect.stringContaining(message) as string },
    ]);
  });

  test('take arrows that are drawn, and leave tests alone', () => {
    const file = source(
      'packages/client/src/deep/a.ts',
      "import '@skerry/base';",
      "import '../b.ts';",
      "import '@scope/name/sub';",
    );
    expect(layerFindings(file, layers)).toEqual([]);
    expect(layerFindings(source('packages/raft/src/a.test.ts', "import 'vitest';"), layers)).toEqual([]);
  });

  test('refuse a package without a layer and a dependency without an arrow', () => {
    expect(layerFindings(source('packages/new/src/a.ts', ''), layers)[0]?.message).toContain(
      'not in infra/layers.json',
    );
    const manifest = source(
      'packages/raft/package.json',
      '{"dependencies":{"@skerry/base":"workspace:*","ws":"catalog:"}}',
    );
    expect(manifestFindings(manifest, layers).map(({ message }) => message)).toEqual([
      'raft may not depend on ws: see infra/layers.json',
    ]);
  });

  test('refuse a picture with a cycle, a missing package or something impure below', () => {
    expect(pictureProblems(layers)).toEqual([]);
    expect(pictureProblems({ a: { packages: ['b'], externals: [] }, b: { packages: ['a'], externals: [] } })).toContain(
      'cycle: a → b → a',
    );
    expect(pictureProblems({ a: { packages: ['gone'], externals: [] } })).toEqual(['a → gone, which is not there']);
    expect(pictureProblems({ ...layers, base: { packages: [], externals: [] } })).toEqual([
      'raft is pure, base below it is not',
    ]);
  });
});

describe('rules', () => {
  test('a pure package may not look at the clock, roll dice or do I/O', () => {
    const bad = [
      'const a = Date.now();',
      'x = Math.random();',
      'setTimeout(f, 1);',
      'process.exit();',
      'console.log(1);',
    ];
    expect(linesOf(impureFindings(source('packages/raft/src/a.ts', ...bad), layers))).toEqual([1, 2, 3, 4, 5]);
    const good = [
      '// Date',
      "const a = 'Date.now()';",
      'this.process(x);',
      'interface A { readonly process: string }',
      'now.Date',
    ];
    expect(impureFindings(source('packages/raft/src/a.ts', ...good), layers)).toEqual([]);
    expect(impureFindings(source('packages/client/src/a.ts', ...bad), layers)).toEqual([]);
  });

  test('a file has at most 500 lines', () => {
    expect(lengthFindings(source('a.ts', ...Array.from({ length: 500 }, () => 'x')))).toEqual([]);
    expect(lengthFindings(source('a.ts', ...Array.from({ length: 501 }, () => 'x')))).toHaveLength(1);
  });

  test('nothing is exported as default, except from configuration files', () => {
    const bad = ['export default 1;', 'export { a as default };', '// export default'];
    expect(linesOf(defaultExportFindings(source('a.ts', ...bad)))).toEqual([1, 2]);
    expect(defaultExportFindings(source('vitest.config.ts', ...bad))).toEqual([]);
  });

  test('there are no enums', () => {
    expect(
      linesOf(
        enumFindings(source('a.ts', 'enum A {}', 'export const enum B {}', 'const enumerate = 1;', '// enum C {}')),
      ),
    ).toEqual([1, 2]);
  });

  test('no test is left out without a reason', () => {
    const bad = [
      "test.only('a', f);",
      "describe.skip('b', f);",
      "it.todo('c');",
      "test.skipIf(x)('d', f);",
      "test.concurrent.only('e', f);",
    ];
    expect(linesOf(skippedTestFindings(source('a.test.ts', ...bad))).toSorted()).toEqual([1, 2, 3, 4, 5]);
    const good = [
      '// Only Linux shows it.',
      "test.runIf(linux)('a', f);",
      "test.skip('b', f); // until part 2",
      "test.skipIf(x)('c (skipped without root)', f);",
      'a.only;',
    ];
    expect(skippedTestFindings(source('a.test.ts', ...good))).toEqual([]);
    expect(skippedTestFindings(source('a.test.ts', '// why', "test.only('a', f);"))).toHaveLength(1);
  });

  test('no check is switched off without a reason', () => {
    const off = 'disable-next-line';
    const bad = [`// eslint-${off} no-console`, `// oxlint-${off}`, `// @ts-${'ignore'}`, `// @ts-${'expect-error'}`];
    expect(linesOf(suppressionFindings(source('a.ts', ...bad)))).toEqual([1, 2, 3, 4]);
    const good = [
      `// eslint-${off} no-console -- it is the program's output`,
      `// @ts-${'expect-error'} the test is about a wrong type`,
    ];
    expect(suppressionFindings(source('a.ts', ...good))).toEqual([]);
  });

  test('no path of one machine stands anywhere', () => {
    const bad = ['work/main/a', 'root/x', 'home/someone/x', 'Users/someone/x'].map((path) => `see /${path}`);
    expect(linesOf(machinePathFindings(source('a.md', ...bad)))).toEqual([1, 2, 3, 4]);
    expect(
      machinePathFindings(source('a.md', 'see docs/work/x, /etc/hosts, https://example.com/home/a/b and ./root/x')),
    ).toEqual([]);
  });

  test('no test sleeps without a reason', () => {
    const bad = ['await new Promise((resolve) => setTimeout(resolve, 5));', 'await delay(10);'];
    expect(linesOf(sleepingTestFindings(source('a.test.ts', ...bad)))).toEqual([1, 2]);
    expect(
      sleepingTestFindings(source('a.test.ts', '// the kernel gives no event for this', 'await delay(10);')),
    ).toEqual([]);
    expect(sleepingTestFindings(source('a.ts', ...bad))).toEqual([]);
  });
});
