import { connect, createServer, type Server, type Socket } from 'node:net';
import { FrameSplitter, type Piece } from './frames.ts';
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
  /** Between nodes: chance that a whole frame comes twice. TCP never does that, but what nodes say may be repeated. */
  readonly repeats?: number;
  /** Between nodes: chance that a whole frame comes after later ones, or is lost as its connection ends before. */
  readonly belates?: number;
}

/** How much later a frame comes at most: several heartbeats. */
const belatedMsMax = 200;

const none: LineFault = {};

/** A fault of all lines of one node, whoever has dialled; `node` null: of all lines. */
interface Fault {
  readonly node: string | null;
  readonly fault: LineFault;
}

/** The name in the hello with which whoever dialled begins. */
const helloName = /"node":"([^"]+)"/;
const helloBytesMax = 4_096;

/** One direction of a connection. */
interface Line {
  readonly from: Socket;
  readonly to: Socket;
  /** Who says something on it, and who hears it; null: not known yet. */
  readonly ends: () => { readonly says: string | null; readonly hears: string | null };
  passedBytes: number;
  lastMs: number;
  /** Half of a piece was the last that passes: what comes before the connection is gone must not follow on that. */
  isCut: boolean;
}

interface RelayOptions {
  readonly owner: string;
  readonly port: number;
  readonly target: number;
  /** What passes are WebSocket connections alone, whose frames are told apart. */
  readonly isFramed: boolean;
}

/** Stands before one port of a node and passes bytes on, with whatever fault it is told. */
class Relay {
  /** Pieces that met a fault. */
  met = 0;
  /** Frames that came twice, and late. */
  repeated = 0;
  belated = 0;
  readonly #owner: string;
  readonly #isFramed: boolean;
  readonly #server: Server;
  #current: Fault = { node: null, fault: none };
  readonly #sockets = new Set<Socket>();
  /** What came on them was dropped: to go on would be to lose bytes in the middle, which TCP never does. */
  readonly #torn = new Set<Socket>();

  constructor({ owner, port, target, isFramed }: RelayOptions) {
    this.#owner = owner;
    this.#isFramed = isFramed;
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

  #pass(from: Socket, to: Socket, ends: Line['ends']): void {
    this.#sockets.add(from);
    const line: Line = { from, to, ends, passedBytes: 0, lastMs: 0, isCut: false };
    const splitter = this.#isFramed ? new FrameSplitter() : null;
    from.on('data', (data) => {
      for (const piece of splitter?.push(data) ?? [{ bytes: data, isBinary: false }]) this.#forward(line, piece);
    });
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      this.#torn.delete(from);
      to.destroy();
    });
  }

  #forward(line: Line, { bytes, isBinary }: Piece): void {
    const { from, to } = line;
    if (line.isCut) return;
    const { says, hears } = line.ends();
    const { node, fault } = this.#current;
    const isHit = node === null || node === says || node === hears;
    const {
      delayMs = 0,
      jitterMs = 0,
      pieceBytes = bytes.length,
      cutAfterBytes,
      silent,
      stalled,
    } = isHit ? fault : none;
    if (isHit && fault !== none) this.met++;
    if (stalled === true && (node === null || node === says)) from.pause();
    if (silent === 'both' || (silent === 'half' && (node === null || node === hears))) {
      this.#torn.add(from);
      return;
    }
    line.passedBytes += bytes.length;
    if (cutAfterBytes !== undefined && line.passedBytes > cutAfterBytes) {
      line.isCut = true;
      to.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), () => {
        from.destroy();
        to.destroy();
      });
      return;
    }
    const write = (): void => {
      for (let at = 0; at < bytes.length; at += pieceBytes) to.write(bytes.subarray(at, at + pieceBytes));
    };
    if (isHit && isBinary && this.#isBelated(fault, write)) return;
    // Never before what came before it.
    line.lastMs = Math.max(line.lastMs, performance.now() + delayMs + Math.random() * jitterMs);
    if (delayMs + jitterMs === 0) write();
    else setTimeout(write, line.lastMs - performance.now());
  }

  /** Writes a frame at some later time: a second time, or instead of now. */
  #isBelated({ repeats = 0, belates = 0 }: LineFault, write: () => void): boolean {
    const later = (): unknown => setTimeout(write, Math.random() * belatedMsMax);
    if (Math.random() < repeats) {
      this.repeated++;
      later();
    }
    if (Math.random() >= belates) return false;
    this.belated++;
    later();
    return true;
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

  /** Frames between nodes that came twice, and late, so far. */
  get frames(): { readonly repeated: number; readonly belated: number } {
    const all = [...this.#peers.values()];
    return {
      repeated: all.reduce((sum, { repeated }) => sum + repeated, 0),
      belated: all.reduce((sum, { belated }) => sum + belated, 0),
    };
  }

  close(): void {
    for (const relay of [...this.#peers.values(), ...this.#clients.values()]) relay.close();
  }

  #before(relays: Map<string, Relay>, node: string, url: string): string {
    const port = this.#ports.pop() ?? 0;
    relays.get(node)?.close();
    const target = Number(new URL(url).port);
    relays.set(node, new Relay({ owner: node, port, target, isFramed: relays === this.#peers }));
    return `ws://127.0.0.1:${port}`;
  }
}
