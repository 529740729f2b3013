import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePorts } from './ports.ts';
import type { Addresses, RegionOptions } from './region.ts';

/** What becomes of the bytes of a connection, each way. */
export interface LineFault {
  /** Each piece is passed on this much later, and up to `jitterMs` more; in order, as TCP has it. */
  readonly delayMs?: number;
  readonly jitterMs?: number;
  /** Pieces of so many bytes at most. */
  readonly pieceBytes?: number;
  /** After about so many bytes the connection is cut off, in the middle of whatever frame. */
  readonly cutAfterBytes?: number;
  /** `half`: what the dialling side says is dropped, and nobody is told. `both`: nothing passes. */
  readonly silent?: 'half' | 'both';
  /** Nothing is read any more, so that whoever writes is held up. */
  readonly stalled?: boolean;
}

/** Stands before one port and passes bytes on, with whatever fault it is told. */
class Relay {
  fault: LineFault = {};
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What came on them was dropped: to go on would be to lose bytes in the middle, which TCP never does. */
  readonly #torn = new Set<Socket>();

  constructor(port: number, target: number) {
    this.#server = createServer((near) => this.#join(near, connect(target, '127.0.0.1')));
    this.#server.listen(port, '127.0.0.1');
    this.#server.unref();
  }

  set(fault: LineFault): void {
    this.fault = fault;
    for (const socket of this.#torn) socket.destroy();
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket, far: Socket): void {
    this.#pass(near, far, 'there');
    this.#pass(far, near, 'back');
  }

  #pass(from: Socket, to: Socket, way: 'there' | 'back'): void {
    this.#sockets.add(from);
    let passed = 0;
    let last = 0;
    from.on('data', (data) => {
      const { delayMs = 0, jitterMs = 0, pieceBytes = data.length, cutAfterBytes, silent, stalled } = this.fault;
      if (stalled === true) from.pause();
      if (silent === 'both' || (silent === 'half' && way === 'there')) {
        this.#torn.add(from);
        return;
      }
      passed += data.length;
      if (cutAfterBytes !== undefined && passed > cutAfterBytes) {
        to.write(data.subarray(0, Math.ceil(data.length / 2)), () => {
          from.destroy();
          to.destroy();
        });
        return;
      }
      // Never before what came before it.
      last = Math.max(last, performance.now() + delayMs + Math.random() * jitterMs);
      const write = (): void => {
        for (let at = 0; at < data.length; at += pieceBytes) to.write(data.subarray(at, at + pieceBytes));
      };
      if (delayMs + jitterMs === 0) write();
      else setTimeout(write, last - performance.now());
    });
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      this.#torn.delete(from);
      to.destroy();
    });
  }
}

/** Relays before the client and peer ports of all nodes of a region. */
export class Relays {
  readonly #peers = new Map<string, Relay>();
  readonly #clients = new Map<string, Relay>();
  readonly #ports: number[];

  private constructor(ports: number[]) {
    this.#ports = ports;
  }

  static async create(nodes: number): Promise<Relays> {
    return new Relays(await freePorts(2 * nodes));
  }

  get regionOptions(): Pick<RegionOptions, 'advertise'> {
    return {
      advertise: (node, own): Addresses => ({
        clientUrl: this.#before(this.#clients, node, own.clientUrl),
        peerUrl: this.#before(this.#peers, node, own.peerUrl),
      }),
    };
  }

  /** Of connections to the peer port of `node`, which its peers have dialled; null: of all nodes. */
  peers(node: string | null, fault: LineFault): void {
    for (const [name, relay] of this.#peers) if (node === null || name === node) relay.set(fault);
  }

  clients(node: string | null, fault: LineFault): void {
    for (const [name, relay] of this.#clients) if (node === null || name === node) relay.set(fault);
  }

  heal(): void {
    this.peers(null, {});
    this.clients(null, {});
  }

  close(): void {
    for (const relay of [...this.#peers.values(), ...this.#clients.values()]) relay.close();
  }

  #before(relays: Map<string, Relay>, node: string, url: string): string {
    const port = this.#ports.pop() ?? 0;
    relays.get(node)?.close();
    relays.set(node, new Relay(port, Number(new URL(url).port)));
    return `ws://127.0.0.1:${port}`;
  }
}
