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
  /** `half`: what the node is told is dropped, and nobody is told of that. `both`: nothing passes. */
  readonly silent?: 'half' | 'both';
  /** What the node says is not read any more, so that it is held up. */
  readonly stalled?: boolean;
}

const none: LineFault = {};

/** A fault of all lines of one node, whoever has dialled; `node` null: of all lines. */
interface Fault {
  readonly node: string | null;
  readonly fault: LineFault;
}

/** The name in the hello with which whoever dialled begins. */
const helloName = /"node":"([^"]+)"/;
const helloBytesMax = 4_096;

/** Stands before one port of a node and passes bytes on, with whatever fault it is told. */
class Relay {
  /** Pieces that met a fault. */
  met = 0;
  readonly #owner: string;
  readonly #server: Server;
  #current: Fault = { node: null, fault: none };
  readonly #sockets = new Set<Socket>();
  /** What came on them was dropped: to go on would be to lose bytes in the middle, which TCP never does. */
  readonly #torn = new Set<Socket>();

  constructor(owner: string, port: number, target: number) {
    this.#owner = owner;
    this.#server = createServer((near) => this.#join(near, connect(target, '127.0.0.1')));
    this.#server.listen(port, '127.0.0.1');
    this.#server.unref();
  }

  set(fault: Fault): void {
    this.#current = fault;
    for (const socket of this.#torn) socket.destroy();
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket, far: Socket): void {
    let said = '';
    let dialler: string | null = null;
    near.on('data', (data) => {
      if (dialler !== null || said.length > helloBytesMax) return;
      said += data.toString('latin1');
      dialler = helloName.exec(said)?.[1] ?? null;
    });
    this.#pass(near, far, () => ({ says: dialler, hears: this.#owner }));
    this.#pass(far, near, () => ({ says: this.#owner, hears: dialler }));
  }

  #pass(from: Socket, to: Socket, ends: () => { readonly says: string | null; readonly hears: string | null }): void {
    this.#sockets.add(from);
    let passed = 0;
    let last = 0;
    from.on('data', (data) => {
      const { says, hears } = ends();
      const { node, fault } = this.#current;
      const isHit = node === null || node === says || node === hears;
      const {
        delayMs = 0,
        jitterMs = 0,
        pieceBytes = data.length,
        cutAfterBytes,
        silent,
        stalled,
      } = isHit ? fault : {};
      if (isHit && fault !== none) this.met++;
      if (stalled === true && (node === null || node === says)) from.pause();
      if (silent === 'both' || (silent === 'half' && (node === null || node === hears))) {
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

  /** Of connections between `node` and its peers, whoever has dialled; null: between all nodes. */
  peers(node: string | null, fault: LineFault): void {
    for (const relay of this.#peers.values()) relay.set({ node, fault });
  }

  /** Of connections of clients to `node`; null: to all nodes. */
  clients(node: string | null, fault: LineFault): void {
    for (const relay of this.#clients.values()) relay.set({ node, fault });
  }

  heal(): void {
    this.peers(null, none);
    this.clients(null, none);
  }

  /** Pieces that met a fault so far. */
  get met(): number {
    return [...this.#peers.values(), ...this.#clients.values()].reduce((sum, { met }) => sum + met, 0);
  }

  close(): void {
    for (const relay of [...this.#peers.values(), ...this.#clients.values()]) relay.close();
  }

  #before(relays: Map<string, Relay>, node: string, url: string): string {
    const port = this.#ports.pop() ?? 0;
    relays.get(node)?.close();
    relays.set(node, new Relay(node, port, Number(new URL(url).port)));
    return `ws://127.0.0.1:${port}`;
  }
}
