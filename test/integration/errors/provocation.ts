import { once } from 'node:events';
import { createServer, connect as connectTcp, type AddressInfo, type Socket } from 'node:net';
import { isWrite, type RequestMessage } from '../../../packages/protocol/src/index.ts';
import { until } from '../../../packages/server/src/testing/until.ts';
import { newClientId, type ErrorMetric, type ErrorNode, type NodeOptions } from './node.ts';

/** One way to get one error, over a real socket. */
export interface Provocation {
  readonly what: string;
  /** Of the node that it is done to; nodes of equal options are shared. */
  readonly on?: NodeOptions;
  /** Does it; resolves to the code that came. */
  readonly provoke: (node: ErrorNode) => Promise<string>;
  /** Where the node counts it; null: it is the client that says so, and the node cannot know. */
  readonly counted: ErrorMetric | null;
  /** What is left of the node's duties afterwards. Default: all. */
  readonly after?: 'reads only' | 'nothing';
}

type Operation = RequestMessage['operation'];
type WriteId = NonNullable<RequestMessage['id']>;

/** A request by hand, with an id of a new session if it is a write. */
export async function ask(
  node: ErrorNode,
  operation: Operation,
  more: { id?: Partial<WriteId>; timeoutMs?: number } = {},
) {
  const client = await node.client();
  const { id, timeoutMs = null } = more;
  const fullId = { client: newClientId(), sequence: 1, answeredBelow: 1, retry: false, ...id } as WriteId;
  client.send({ kind: 'request', requestId: 1, operation, timeoutMs, ...(isWrite(operation) ? { id: fullId } : {}) });
  await until('an answer', () => client.of('answer').length > 0);
  client.socket.terminate();
  return client.of('answer')[0]?.answer ?? null;
}

/** The code of the error that `operation` is answered with. */
export async function codeOf(...args: Parameters<typeof ask>): Promise<string> {
  const answer = await ask(...args);
  return answer?.kind === 'error' ? answer.code : `no error but ${answer?.kind}`;
}

/** The code of the goodbye that ends the connection on which `frames` were sent; the close must give it as its reason. */
export async function goodbyeTo(
  node: ErrorNode,
  frames: readonly (Uint8Array | string)[],
  options: { readonly greet?: boolean; readonly autoPong?: boolean } = {},
): Promise<string> {
  const client = await node.client(options);
  for (const frame of frames) client.socket.send(frame);
  await client.untilClosed();
  const code = client.of('goodbye')[0]?.code ?? 'no goodbye';
  const reason = client.closed?.reason ?? '';
  return reason.startsWith(`${code}: `) ? code : `${code}, but the close says ${JSON.stringify(reason)}`;
}

/** The code of the problem that an HTTP request is answered with; its status must be that of the table. */
export async function problemOf(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, init);
  const problem = (await response.json()) as { code?: string; status?: number };
  return problem.status === response.status ? (problem.code ?? `no code, ${response.status}`) : 'another status';
}

/** The code that a call of the client rejects with. */
export async function rejectionOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'no error',
    (error: Error & { readonly code?: string }) => error.code ?? error.message,
  );
}

/** Stands between client and node, and can drop dead. */
export class Relay {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((near) => {
    const far = connectTcp(this.#port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  readonly #port: number;

  private constructor(port: number) {
    this.#port = port;
  }

  static async to(url: string): Promise<Relay> {
    const relay = new Relay(Number(new URL(url).port));
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends all connections and takes no more. */
  drop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
