#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// A server has deadlines from its first second on, and nearly all that it runs then it runs for the first time. Compiled at
// once, without optimizing, that takes less than interpreted until it is found to be worth compiling. What of that has not
// run for long is forgotten again: some 25 MiB in each process.
// After a quiet minute V8 lets the heap grow by a tenth or a third only before it collects all of it again, and stays with that
// under load: four full collections a second, and a third fewer sets. It may always grow to two and a half times what is live
// (docs/benchmarks/budget.md).
if (process.argv[2] === 'server') {
  setFlagsFromString('--always-sparkplug');
  setFlagsFromString('--flush-baseline-code');
  setFlagsFromString('--heap-growing-percent=150');
}

// Only now: what is loaded before the flag is set is interpreted.
const { main } = await import('../dist/index.js');
await main();
