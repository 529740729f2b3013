import { SeededRandom } from '@skerry/base';
import type { Host, Socket, SocketListener } from '../host.ts';

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** The far end of a socket, as a test's server sees it. */
export interface ServerSocket {
  readonly url: string;
  readonly open: () => void;
  readonly send: (bytes: Uint8Array) => void;
  /** The connection ends; nothing more is passed either way. */
  readonly cut: (detail?: string) => void;
  onFrame: (bytes: Uint8Array) => void;
  onClose: () => void;
}

/** A host whose time stands still until it is told, and whose sockets end in the test. */
export class FakeHost implements Host {
  readonly random: SeededRandom;
  #nowMs = 1_000;
  #order = 0;
  #timers: Timer[] = [];
  #turn: (() => void)[] = [];
  /** Called for every socket that is opened, at the end of that turn. */
  onDial: (socket: ServerSocket) => void = () => {};

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
  }

  readonly nowMs = (): number => this.#nowMs;

  readonly setTimer = (delayMs: number, run: () => void): (() => void) => {
    const timer = { dueMs: this.#nowMs + delayMs, order: this.#order++, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  };

  readonly endOfTurn = (run: () => void): void => {
    this.#turn.push(run);
  };

  readonly openSocket = (url: string, listener: SocketListener): Socket => {
    let ended = false;
    const later = (run: () => void): void => {
      this.endOfTurn(run);
    };
    const end = (detail: string): void => {
      if (ended) return;
      ended = true;
      later(() => {
        listener.onClose(detail);
      });
    };
    const server: ServerSocket = {
      url,
      open: () => {
        later(() => {
          if (!ended) listener.onOpen();
        });
      },
      send: (bytes) => {
        later(() => {
          if (!ended) listener.onFrame(bytes);
        });
      },
      cut: (detail = 'cut') => {
        end(detail);
      },
      onFrame: () => {},
      onClose: () => {},
    };
    later(() => {
      this.onDial(server);
    });
    return {
      send: (bytes) => {
        if (!ended)
          later(() => {
            server.onFrame(bytes);
          });
      },
      bufferedBytes: () => 0,
      close: () => {
        if (ended) return;
        end('closed');
        server.onClose();
      },
    };
  };

  /** Lets everything happen that needs no time to pass. */
  async settle(): Promise<void> {
    let rounds = 0;
    for (let idle = 0; idle < 2;) {
      // All promises that are settled run on before this one.
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      const turn = this.#turn;
      this.#turn = [];
      for (const run of turn) run();
      idle = turn.length > 0 || this.#fireDue() ? 0 : idle + 1;
      if (++rounds > 100_000) throw new Error('the turn never ends');
    }
  }

  /** Lets `ms` pass, with every timer at its time. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.settle();
    for (;;) {
      const next = Math.min(...this.#timers.map(({ dueMs }) => dueMs));
      if (next > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, next);
      await this.settle();
    }
    this.#nowMs = untilMs;
    await this.settle();
  }

  /** The process stands still for `ms`: time passes, and the timers come late. */
  async pause(ms: number): Promise<void> {
    this.#nowMs += ms;
    await this.settle();
  }

  /** Whether any was due. */
  #fireDue(): boolean {
    const due = this.#timers
      .filter(({ dueMs }) => dueMs <= this.#nowMs)
      .sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
    for (const timer of due) {
      if (!this.#timers.includes(timer)) continue;
      this.#timers = this.#timers.filter((each) => each !== timer);
      timer.run();
    }
    return due.length > 0;
  }
}
