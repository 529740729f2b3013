#!/usr/bin/env node
import { main } from '../dist/index.js';

process.exitCode = main(process.argv.slice(2), {
  print: (line) => process.stdout.write(`${line}\n`),
  elapsedMs: () => performance.now(),
  freshSeed: () => Math.floor(Math.random() * 2 ** 31),
});
