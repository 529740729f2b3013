import { codeOnly, isShipped, packageOf, type Finding, type SourceFile } from './source.ts';

export interface Layer {
  readonly pure?: boolean;
  /** Packages of the house that it may import. */
  readonly packages: readonly string[];
  /** Registry packages that it may import; `node` stands for every node: module. */
  readonly externals: readonly string[];
}

export type Layers = Readonly<Record<string, Layer>>;

export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** Every module that `text` imports, re-exports from, or loads by `import()`. */
export function importsOf(text: string): Import[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g;
  const code = codeOnly(text);
  return (
    [...text.matchAll(pattern)]
      // The keyword must stand in code, not in a comment; the specifier itself is a string and blanked there.
      .filter((match) => /^(from|import)/.test(code.slice(match.index)))
      .map((match) => ({ specifier: match[2] ?? '', line: text.slice(0, match.index).split('\n').length }))
  );
}

/** Arrows that the layers do not have, and imports past another package's index. For shipped sources. */
export function layerFindings(file: SourceFile, layers: Layers): Finding[] {
  const from = packageOf(file.path);
  if (from === null || !isShipped(file.path)) return [];
  const layer = layers[from];
  if (layer === undefined)
    return [{ path: file.path, line: 1, message: `package ${from} is not in infra/layers.json` }];
  return importsOf(file.text).flatMap(({ specifier, line }) => {
    const message = importProblem({ file, from, layer, specifier });
    return message === null ? [] : [{ path: file.path, line, message }];
  });
}

interface ImportQuestion {
  readonly file: SourceFile;
  readonly from: string;
  readonly layer: Layer;
  readonly specifier: string;
}

function importProblem({ file, from, layer, specifier }: ImportQuestion): string | null {
  // Subpath imports name a file of the package itself.
  if (specifier.startsWith('#')) return null;
  if (specifier.startsWith('.')) {
    const depth = file.path.split('/').length - `packages/${from}/src/`.split('/').length;
    const ups = specifier.split('/').filter((part) => part === '..').length;
    return ups > depth ? `${specifier} leaves the package: import @skerry/… by name` : null;
  }
  const inside = /^@skerry\/([^/]+)(\/.*)?$/.exec(specifier);
  if (inside !== null) {
    const [, to = '', deep] = inside;
    if (deep !== undefined) return `${specifier} goes past the index.ts of ${to}: import @skerry/${to}`;
    return layer.packages.includes(to)
      ? null
      : `${from} may not import ${to}: see infra/layers.json and DESIGN section 7`;
  }
  const name = specifier.startsWith('node:')
    ? 'node'
    : specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
  return layer.externals.includes(name) ? null : `${from} may not import ${specifier}: see infra/layers.json`;
}

/** Dependencies in a package.json that the layers do not have. */
export function manifestFindings(file: SourceFile, layers: Layers): Finding[] {
  const from = packageOf(file.path) ?? '';
  const layer = layers[from];
  if (layer === undefined)
    return [{ path: file.path, line: 1, message: `package ${from} is not in infra/layers.json` }];
  const { dependencies = {} } = JSON.parse(file.text) as { dependencies?: Record<string, string> };
  return Object.keys(dependencies)
    .filter((name) => ![...layer.packages.map((to) => `@skerry/${to}`), ...layer.externals].includes(name))
    .map((name) => ({ path: file.path, line: 1, message: `${from} may not depend on ${name}: see infra/layers.json` }));
}

/** The picture of the layers must itself be possible: no arrow to what is not there, no cycle, nothing impure below a pure package. */
export function pictureProblems(layers: Layers): string[] {
  const problems: string[] = [];
  const visit = (name: string, path: readonly string[]): void => {
    if (path.includes(name)) {
      problems.push(`cycle: ${[...path.slice(path.indexOf(name)), name].join(' → ')}`);
      return;
    }
    for (const to of layers[name]?.packages ?? []) {
      if (layers[to] === undefined) problems.push(`${name} → ${to}, which is not there`);
      else if (layers[name]?.pure === true && layers[to].pure !== true)
        problems.push(`${name} is pure, ${to} below it is not`);
      visit(to, [...path, name]);
    }
  };
  for (const name of Object.keys(layers)) visit(name, []);
  return [...new Set(problems)];
}
