import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { GeneratorResult, Order, Report } from '../generator.ts';

/**
 * A load generator in a process of its own, which stays for all measurements of one system: what one client leaves in
 * the heap and in the compiler's caches does not weigh on the next.
 */
export class GeneratorProcess {
  readonly #child: ChildProcess;
  #pending: { resolve: (result: readonly GeneratorResult[] | null) => void; reject: (error: Error) => void } | null =
    null;
  #onEdge: (edge: 'open' | 'close') => void = () => {};

  constructor(nodeArgs: readonly string[] = []) {
    this.#child = fork(fileURLToPath(new URL('../generator.js', import.meta.url)), {
      execArgv: [...nodeArgs],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (report: Report) => {
      this.#hear(report);
    });
    this.#child.once('exit', (code, signal) => {
      this.#pending?.reject(new Error(`the load generator ended by itself: ${code ?? signal}`));
    });
  }

  /** Rejects when the order failed, and after `timeoutMs`. */
  async tell(
    order: Order,
    timeoutMs: number,
    onEdge?: (edge: 'open' | 'close') => void,
  ): Promise<readonly GeneratorResult[] | null> {
    if (this.#pending !== null) throw new Error('a generator does one thing at a time');
    this.#onEdge = onEdge ?? (() => {});
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<readonly GeneratorResult[] | null>((resolve, reject) => {
        this.#pending = { resolve, reject };
        timer = setTimeout(() => {
          reject(new Error(`the load generator did not end '${order.order}' in ${timeoutMs} ms`));
        }, timeoutMs);
        this.#child.send(order);
      });
    } finally {
      clearTimeout(timer);
      this.#pending = null;
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    // By its own exit rather than a signal, so that a profile is written.
    this.#child.disconnect();
    await ended;
  }

  #hear(report: Report): void {
    if (report.report === 'edge') this.#onEdge(report.edge);
    if (report.report === 'done') this.#pending?.resolve(report.result);
    if (report.report === 'failed') this.#pending?.reject(new Error(report.why));
  }
}
