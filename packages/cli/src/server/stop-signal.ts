/**
 * When a node has to stop: when its user interrupts it, or, under a supervisor (an IPC channel tells), on SIGTERM or when
 * that supervisor is gone. There Ctrl-C is left to the supervisor, who gets it too and stops its nodes in order.
 */
export function stopSignal(interrupted: AbortSignal): AbortSignal {
  if (process.channel === undefined) return interrupted;
  const abort = new AbortController();
  const stop = (): void => {
    abort.abort();
  };
  process.on('SIGTERM', stop);
  process.on('disconnect', stop);
  // Listening keeps the process alive, which must end once the node has stopped.
  process.channel?.unref();
  if (!process.connected) stop();
  return abort.signal;
}
