import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile } from './build.mjs';
import { install } from './install.mjs';
import { expected, root, run, runTool } from './process.mjs';
import { checkSteps, runTests, testSteps } from './test.mjs';

const commands = { start, test, build, check, faults, sim, planted, fuzz, bench };

/** Resolves to the exit code. */
export function runCommand(name, args) {
  if (!Object.hasOwn(commands, name ?? '')) {
    throw expected(`usage: node infra/run.mjs ${Object.keys(commands).join('|')} [ARGS]`);
  }
  return commands[name](args);
}

/** `skerry dev`: three regions of three nodes on this machine, until interrupted. */
async function start(args) {
  await installAndBuild();
  // In this process, so that a signal sent to it reaches the supervisor of the nodes directly.
  const entry = join(root, 'packages', 'cli', 'bin', 'skerry.mjs');
  process.argv = [process.execPath, entry, 'dev', ...args];
  await import(pathToFileURL(entry).href);
  return process.exitCode ?? 0;
}

async function test(args) {
  return runTests(testSteps(args));
}

async function check() {
  return runTests(checkSteps());
}

async function build() {
  await installAndBuild();
  return 0;
}

/** The long checks on real processes: `npm run faults` runs all, `npm run faults -- --list` names them. */
async function faults(args) {
  await installAndBuild();
  const folder = join(root, 'test', 'faults');
  if ((await runTool('typescript/bin/tsc', ['-p', folder])) !== 0) throw expected('the fault checks do not compile');
  return run(process.execPath, [join(folder, 'dist', 'main.js'), ...args]);
}

/** Bugs planted into a copy of the sources, to see them found: `npm run planted` tries all and writes docs/planted.md. */
async function planted(args) {
  await installAndBuild();
  const folder = join(root, 'test', 'planted');
  if ((await runTool('typescript/bin/tsc', ['-p', folder])) !== 0) throw expected('the planted bugs do not compile');
  return run(process.execPath, [join(folder, 'dist', 'main.js'), ...args]);
}

async function sim(args) {
  return runProgram(join(root, 'packages', 'simulator', 'bin', 'sim.mjs'), args, simFlags);
}

const fuzzUsage = 'usage: npm run fuzz -- [--time 60s] [--seed N] [--only NAME]';

/** Feeds every decoder with broken input: `npm run fuzz -- --time 60s [--seed N] [--only NAME]`. */
async function fuzz(args) {
  if (args.includes('--help')) {
    console.log(fuzzUsage);
    return 0;
  }
  const given = { '--time': '60s', '--seed': String(Math.floor(Math.random() * 2 ** 31)) };
  for (let i = 0; i < args.length; i += 2) {
    if (!['--time', '--seed', '--only'].includes(args[i]) || args[i + 1] === undefined) throw expected(fuzzUsage);
    given[args[i]] = args[i + 1];
  }
  const time = /^(\d+)(s|m|h)$/.exec(given['--time']);
  if (time === null || !/^\d+$/.test(given['--seed'])) throw expected('usage: --time 30s, 10m or 2h; --seed a number');
  const seconds = Number(time[1]) * { s: 1, m: 60, h: 3600 }[time[2]];
  console.log(
    `npm run fuzz -- --time ${given['--time']} --seed ${given['--seed']}${given['--only'] === undefined ? '' : ` --only '${given['--only']}'`}`,
  );
  await install();
  const env = {
    FUZZ_SECONDS: `${seconds}`,
    FUZZ_SEED: given['--seed'],
    ...(given['--only'] === undefined ? {} : { FUZZ_ONLY: given['--only'] }),
  };
  return runTool('vitest/vitest.mjs', ['run', '--project', 'unit', '--reporter=verbose', 'test/fuzz/fuzz.test.ts'], {
    env,
  });
}

/** `npm run bench -- --help` says what there is. */
async function bench(args) {
  await installAndBuild();
  const folder = join(root, 'test', 'bench');
  if ((await runTool('typescript/bin/tsc', ['-p', folder])) !== 0) throw expected('the benchmarks do not compile');
  return run(process.execPath, [join(folder, 'dist', 'bench', 'main.js'), ...args]);
}

/** A world makes much garbage that is short-lived: with room for it, a sixth of the time is saved. */
const simFlags = ['--min-semi-space-size=32', '--max-semi-space-size=64'];

async function runProgram(file, args, flags = []) {
  if (!existsSync(file)) throw expected(`${file.slice(root.length + 1)} is not in this version`);
  await installAndBuild();
  return run(process.execPath, [...flags, file, ...args]);
}

async function installAndBuild() {
  await install();
  if ((await compile()) !== 0) throw expected('the build failed; the errors are above');
}
