// @ts-check
/**
 * Loaded into a node (`--import`): tells the process that started it, over their IPC channel, of whatever kept the node
 * from going on for a while, as a `Stall`. Plain JavaScript, so that it needs no build.
 */
import { subscribe } from 'node:diagnostics_channel';
import { watchStalls } from './stall-watch.mjs';

// The check of a data folder before it is opened runs in a process of its own and inherits the flags.
if (process.argv[2] === 'server' && process.send !== undefined) {
  /** @param {import('./stalls.ts').Stall} stall */
  const tell = (stall) => void process.send?.({ stall });
  watchStalls(tell);
  subscribe('skerry:storage:commit', (message) => {
    const { startMs, endMs } = /** @type {{ startMs: number, endMs: number }} */ (message);
    tell({ kind: 'sync', fromMs: performance.timeOrigin + startMs, toMs: performance.timeOrigin + endMs });
  });
}
