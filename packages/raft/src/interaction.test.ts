import { env } from 'node:process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runInteraction } from './testing/interaction.ts';

const folder = new URL('testdata/', import.meta.url);

// UPDATE=1 rewrites the expected output; read the difference.
describe('interactions in testdata/', () => {
  for (const name of readdirSync(folder).sort()) {
    it(`${name} goes as written`, () => {
      const file = new URL(name, folder);
      const expected = readFileSync(file, 'utf8');
      const actual = runInteraction(expected);
      if (env['UPDATE'] === '1') writeFileSync(file, actual);
      expect(actual).toBe(env['UPDATE'] === '1' ? actual : expected);
    });
  }
});
