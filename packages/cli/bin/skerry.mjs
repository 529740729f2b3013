#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// A server has deadlines from its first second on, and nearly all that it runs then it runs for the first time. Compiled at
// once, without optimizing, that takes less than interpreted until it is found to be worth compiling. What of that has not
// run for long is forgotten again: some 25 MiB in each process. What is young has half the room that V8 would give it, which
// is up to 24 MiB less; docs/benchmarks/budget.md says what it was seen to cost.
if (process.argv[2] === 'server') {
  setFlagsFromString('--always-sparkplug');
  setFlagsFromString('--flush-baseline-code');
  setFlagsFromString('--max-semi-space-size=8');
}

// Only now: what is loaded before the flag is set is interpreted.
const { main } = await import('../dist/index.js');
await main();
