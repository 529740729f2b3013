import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of a plain JavaScript file of this folder; this one may run from the sources or from their build. */
export function besideSources(name: string): string {
  const found = [`./${name}`, `../../lib/${name}`]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}
