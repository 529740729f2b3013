import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { plantedBugs } from '../../planted/bugs.ts';
import { runChild } from '../../planted/lib/child.ts';
import { WorkingCopy } from '../../planted/lib/working-copy.ts';

const root = new URL('../../..', import.meta.url).pathname;
const bug = plantedBugs.find(({ name }) => name === 'swap-ignores-the-old-value');

/** What `npm run sim -- ARGS` runs once all is built. */
async function sim(
  folder: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly lines: string[] }> {
  const { code, output } = await runChild([join(folder, 'packages/simulator/bin/sim.mjs'), ...args], {
    cwd: folder,
    silenceMsMax: 60_000,
  });
  return { code, lines: output.trimEnd().split('\n') };
}

/** The arguments of a printed `npm run sim -- …`. */
function argumentsOf(line: string | undefined): string[] {
  const found = /npm run sim -- (.*)$/.exec(line ?? '');
  if (found === null) throw new Error(`no command in: ${line}`);
  return (found[1] as string).trim().split(/ +/);
}

describe('a planted bug', () => {
  it('is rerun, shrunk, drawn and replayed by following what is printed', async () => {
    const copy = new WorkingCopy(root);
    try {
      if (bug === undefined) throw new Error('the bug is not planted any more');
      await copy.with(bug, async () => {
        await copy.build();
        const first = await sim(copy.folder, ['--first', '1', '--seeds', '4']);
        expect(first.code).toBe(1);
        const printed = first.lines.find((line) => line.startsWith('npm run sim') && line.includes('--shrink'));
        const [rerun, smaller] = (printed ?? '').split('# smaller:');
        expect((await sim(copy.folder, argumentsOf(rerun))).lines.join('\n')).toContain('I3: not linearizable');

        const shrunk = await sim(copy.folder, [...argumentsOf(smaller), '--time', '15s']);
        expect(shrunk.code).toBe(1);
        const replay = argumentsOf(shrunk.lines.at(-1));
        const file = join(copy.folder, replay.at(-1) ?? '');
        const { plan } = JSON.parse(readFileSync(file, 'utf8')) as { plan: { callsMax: number; clientCount: number } };
        expect(plan.callsMax).toBeLessThan(1_200);
        expect(readFileSync(file.replace('.json', '.txt'), 'utf8')).toContain('!');
        expect(readFileSync(file.replace('.json', '.svg'), 'utf8')).toMatch(/^<svg/);
        expect(existsSync(join(root, replay.at(-1) ?? ''))).toBe(false);

        const again = await sim(copy.folder, replay);
        expect(again.code).toBe(1);
        expect(again.lines.join('\n')).toContain('I3: not linearizable');
      });
    } finally {
      copy.remove();
    }
  }, 180_000);
});
