import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { expect, it } from 'vitest';

interface Manifest {
  readonly imports?: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const packages = new URL('../../', import.meta.url);
const manifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(new URL(`${folder}/package.json`, packages), 'utf8')) as Manifest;

/** Follows every static import from `file` as a bundler for browsers does; returns what it reaches outside our packages. */
function reach(
  file: URL,
  condition: 'browser' | 'default',
  seen = new Set<string>(),
  outside = new Set<string>(),
): Set<string> {
  if (seen.has(file.href)) return outside;
  seen.add(file.href);
  const source = readFileSync(file, 'utf8');
  for (const [statement, name] of source.matchAll(/^(?:import|export)\s[^;]*?from\s+'([^']+)'|import\('([^']+)'\)/gm)) {
    if (/^(?:import|export) type /.test(statement) || name === undefined) continue;
    if (name.startsWith('.')) reach(new URL(name, file), condition, seen, outside);
    else if (name.startsWith('#'))
      reach(
        new URL(`client/${manifest('client').imports?.[name]?.[condition]?.['skerry:source'] ?? ''}`, packages),
        condition,
        seen,
        outside,
      );
    else if (name.startsWith('@skerry/')) {
      const folder = name.slice('@skerry/'.length);
      reach(
        new URL(`${folder}/${manifest(folder).exports['.']?.['skerry:source'] ?? ''}`, packages),
        condition,
        seen,
        outside,
      );
    } else outside.add(name);
  }
  return outside;
}

const forNodeOnly = (names: ReadonlySet<string>): string[] =>
  [...names].filter((name) => name.startsWith('node:') || name === 'ws' || builtinModules.includes(name));

it('imports nothing of Node on its way into a browser', () => {
  const outside = reach(new URL('index.ts', import.meta.url), 'browser');
  expect([...outside]).toContain('msgpackr');
  expect(forNodeOnly(outside)).toEqual([]);
});

it('would see it if it did', () => {
  expect(forNodeOnly(reach(new URL('index.ts', import.meta.url), 'default'))).toEqual(['ws']);
});
