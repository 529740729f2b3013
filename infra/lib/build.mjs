import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runTool } from './process.mjs';

/** Compiles what changed; resolves to the exit code. The launcher `skerry` compares the stamp's time with the sources'. */
export async function compile() {
  const begun = new Date();
  const code = await runTool('typescript/bin/tsc', ['-b']);
  // What is saved while the compiler runs counts as newer.
  if (code === 0) {
    const stamp = join(root, 'node_modules', '.skerry-build');
    writeFileSync(stamp, '');
    utimesSync(stamp, begun, begun);
  }
  return code;
}
