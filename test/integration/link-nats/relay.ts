import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * Stands between a client and a nats-server and understands what the server says, so that it can withhold some of it:
 * with {@link swallow} on, messages of JetStream consumers are dropped, while heartbeats, answers and everything else
 * pass. To the reader the consumer looks well and idle.
 */
export class Relay {
  swallow = false;
  swallowed = 0;
  /** The client gets what the server says at no more than 64 KiB in 100 ms; the server is held up. */
  slow = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number) {
    this.#server = createServer((client) => this.#join(client, connect(port, '127.0.0.1')));
  }

  static async start(port: number): Promise<Relay> {
    const relay = new Relay(port);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket, server: Socket): void {
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        server.destroy();
      });
    }
    client.pipe(server);
    let rest: Buffer = Buffer.alloc(0);
    server.on('data', (data) => {
      if (this.slow) {
        server.pause();
        setTimeout(() => server.resume(), 100);
      }
      rest = Buffer.concat([rest, data]);
      for (let taken = this.#take(rest, client); taken > 0; taken = this.#take(rest, client)) {
        rest = rest.subarray(taken);
      }
    });
  }

  /** Passes or drops the first protocol message; its length, or 0 if it is not whole yet. */
  #take(data: Buffer, client: Socket): number {
    const end = data.indexOf('\r\n');
    if (end < 0) return 0;
    const words = data.toString('latin1', 0, end).split(' ');
    const isMessage = words[0] === 'MSG' || words[0] === 'HMSG';
    const length = end + 2 + (isMessage ? Number(words.at(-1)) + 2 : 0);
    if (data.length < length) return 0;
    if (this.swallow && isMessage && words.some((word) => word.startsWith('$JS.ACK.'))) this.swallowed++;
    else client.write(data.subarray(0, length));
    return length;
  }
}
