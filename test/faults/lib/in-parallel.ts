/** Makes `count` calls, at most `open` of them at once; returns their results in order. The first that fails ends it. */
export async function inParallel<T>(
  { count, open }: { readonly count: number; readonly open: number },
  call: (index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      results[index] = await call(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(open, count) }, worker));
  return results;
}
