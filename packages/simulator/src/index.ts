export { runSeed, type RunOptions, type RunResult } from './run-seed.ts';
export { main } from './main.ts';
