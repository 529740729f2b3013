import { pathToFileURL } from 'node:url';

/** Runs worlds of one build of the simulator until one is broken: `node seeds.js SIMULATOR-INDEX FIRST COUNT`. */
interface Simulator {
  runSeed(seed: number): { readonly violations: readonly { readonly invariant: string; readonly message: string }[] };
}

const [index = '', first = '1', count = '1'] = process.argv.slice(2);
const { runSeed } = (await import(pathToFileURL(index).href)) as Simulator;
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const { violations } = runSeed(seed);
  // The line also says that this process is alive.
  process.stdout.write(`${JSON.stringify({ seed, violations: violations.slice(0, 50) })}\n`);
  if (violations.length > 0) break;
}
