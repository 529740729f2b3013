/** Collects what did not hold, so that a check tells all of it and goes on. */
export class Expectations {
  readonly problems: string[] = [];

  /** Both as JSON would show them. */
  equal(what: string, found: unknown, wanted: unknown): void {
    const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
    if (is !== should) this.problems.push(`${what} is ${is}, not ${should}`);
  }

  holds(what: string, condition: boolean): void {
    if (!condition) this.problems.push(what);
  }
}

/** How long `call` took, and what it came to. */
export async function timed<T>(call: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const startMs = performance.now();
  const value = await call();
  return { value, ms: performance.now() - startMs };
}

/** Whether `promise` is still open after `ms`. */
export function isOpenAfter(promise: Promise<unknown>, ms: number): Promise<boolean> {
  return Promise.race([
    promise.then(
      () => false,
      () => false,
    ),
    new Promise<boolean>((resolve) => setTimeout(() => resolve(true), ms)),
  ]);
}

/** Rejects with `what` if `promise` takes longer than `ms`. */
export async function within<T>(what: string, ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
