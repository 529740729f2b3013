/**
 * Runs `work` on every item, at most `limit` at a time, started in order. After a failure or once `signal` is aborted
 * nothing more is started; what runs is waited for, then the first failure is thrown.
 */
export async function forEachLimited<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  options: { readonly limit: number; readonly signal: AbortSignal },
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  const running = new Set<Promise<void>>();
  for await (const item of items) {
    if (failures.length > 0 || options.signal.aborted) break;
    const task = work(item).then(
      () => {
        running.delete(task);
      },
      (error: unknown) => {
        running.delete(task);
        failures.push(error);
      },
    );
    running.add(task);
    if (running.size >= options.limit) await Promise.race(running);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  options.signal.throwIfAborted();
}
