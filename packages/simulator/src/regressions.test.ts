import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRegression, replay } from './shrink.ts';

const folder = new URL('../../../regressions/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

describe('regressions/', () => {
  it('has files', () => {
    expect(files.length).toBeGreaterThan(0);
  });

  it.each(files)(
    '%s breaks nothing any more',
    (file) => {
      const { violations, unknown } = replay(parseRegression(readFileSync(new URL(file, folder), 'utf8')));
      expect({ violations, unknown }).toEqual({ violations: [], unknown: [] });
    },
    20_000,
  );
});
