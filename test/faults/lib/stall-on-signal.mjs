// Loaded into a node by `--import`: a signal stops its event loop for a second, while its other threads go on, as a long
// computation or a collection of garbage would.
const stallMs = Number(process.env.STALL_MS ?? '1000');
const never = new Int32Array(new SharedArrayBuffer(4));

process.on('SIGUSR2', () => {
  Atomics.wait(never, 0, 0, stallMs);
});
