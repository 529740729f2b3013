export { runSeed, type RunOptions, type RunResult } from './run-seed.ts';
export { main } from './main.ts';
export { parseRegression, replay, shrinkSeed, type Regression } from './shrink.ts';
