#!/usr/bin/env node
// The two commands of Skerry (`npm start`, `npm test`) and the others behind package.json's scripts.
// Plain Node, no dependencies: this file runs before anything is installed, on whatever Node is there,
// so the version is checked before anything newer is parsed.

const wanted = [20, 19];
const found = process.versions.node.split('.').map(Number);
if (found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])) {
  console.error(
    `Skerry needs Node ${wanted.join('.')} or later; this is Node ${process.versions.node} (${process.execPath}).`,
  );
  process.exit(1);
}

import('./lib/commands.mjs')
  .then(({ runCommand }) => runCommand(process.argv[2], process.argv.slice(3)))
  .then(
    (code) => {
      process.exitCode = code;
    },
    (error) => {
      console.error(error.expected === true ? `skerry: ${error.message}` : error);
      process.exitCode = 1;
    },
  );
