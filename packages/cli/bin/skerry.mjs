#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// A server has deadlines from its first second on, and nearly all that it runs then it runs for the first time. Compiled at
// once, without optimizing, that takes less than interpreted until it is found to be worth compiling.
if (process.argv[2] === 'server') setFlagsFromString('--always-sparkplug');

// Only now: what is loaded before the flag is set is interpreted.
const { main } = await import('../dist/index.js');
await main();
