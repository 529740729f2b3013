import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Pipe {
  /** The dialler's side, and its name as its hello says. */
  readonly near: Socket;
  readonly far: Socket;
  node: string;
}

/**
 * A TCP proxy before the listener of one endpoint, for faults of the network: bytes that trickle, and connections that
 * stay open while nothing passes.
 */
export class Proxy {
  readonly #server: Server;
  readonly #pipes = new Set<Pipe>();
  readonly #target: number;
  /** Nothing passes, and nobody is told. */
  #frozen = false;
  /** Bytes per second to the listener; null: no limit. */
  inwardRate: number | null = null;
  /** Nodes (`region/node`) that dialled and read what comes back no faster than {@link slowRate}. */
  readonly slowDiallers: Set<string>;
  static readonly slowRate = 512 * 1_024;

  private constructor(server: Server, target: number, slowDiallers: Set<string>) {
    this.#server = server;
    this.#target = target;
    this.slowDiallers = slowDiallers;
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async listen(options: {
    readonly target: number;
    readonly port: number;
    readonly slowDiallers: Set<string>;
  }): Promise<Proxy> {
    const server = createServer();
    server.listen(options.port, '127.0.0.1');
    await once(server, 'listening');
    return new Proxy(server, options.target, options.slowDiallers);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connectionCount(): number {
    return this.#pipes.size;
  }

  /** Connections made meanwhile are frozen, too. */
  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    for (const { near, far } of this.#pipes) for (const socket of [near, far]) socket[frozen ? 'pause' : 'resume']();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const { near, far } of this.#pipes) {
      near.destroy();
      far.destroy();
    }
    await closed;
  }

  #accept(near: Socket): void {
    const pipe: Pipe = { near, far: connect(this.#target, '127.0.0.1'), node: '' };
    this.#pipes.add(pipe);
    this.#forward(
      near,
      pipe.far,
      () => this.inwardRate,
      (data) => {
        if (pipe.node === '') pipe.node = diallerOf(data);
      },
    );
    this.#forward(pipe.far, near, () => (this.slowDiallers.has(pipe.node) ? Proxy.slowRate : null));
    for (const socket of [near, pipe.far]) {
      socket.on('error', () => socket.destroy());
      socket.once('close', () => {
        this.#pipes.delete(pipe);
        near.destroy();
        pipe.far.destroy();
      });
    }
    if (this.#frozen) this.freeze(true);
  }

  #forward(from: Socket, to: Socket, rate: () => number | null, look: (data: Buffer) => void = () => {}): void {
    from.on('end', () => to.end());
    from.on('data', (data: Buffer) => {
      look(data);
      const hasRoom = to.write(data);
      const bytesPerSecond = rate();
      if (bytesPerSecond === null && hasRoom) return;
      from.pause();
      const goOn = (): void => {
        if (!this.#frozen) from.resume();
      };
      if (bytesPerSecond !== null) setTimeout(goOn, (data.length / bytesPerSecond) * 1_000);
      else to.once('drain', goOn);
    });
  }
}

/** Who sent this upgrade request, as `region/node`. */
function diallerOf(request: Buffer): string {
  const text = request.toString('latin1');
  const field = (name: string): string => new RegExp(`"${name}":"([^"]+)"`).exec(text)?.[1] ?? '';
  return `${field('region')}/${field('node')}`;
}
