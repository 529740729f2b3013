import { once } from 'node:events';
import {
  type ClientMessage,
  decodeServerFrame,
  encodeFrame,
  protocolVersion,
  type RequestMessage,
  type ServerMessage,
} from '@skerry/protocol';
import { WebSocket, type ClientOptions } from 'ws';
import { until } from './until.ts';

/** A client that speaks the protocol by hand, so that it can also speak it badly. */
export class TestClient {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  /** Messages per frame that came. */
  readonly frameSizes: number[] = [];
  closed: { readonly code: number; readonly reason: string } | null = null;

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    this.socket.on('message', (data: Buffer) => {
      const messages = decodeServerFrame(data);
      this.messages.push(...messages);
      this.frameSizes.push(messages.length);
    });
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    this.socket.on('error', () => {});
  }

  static async open(url: string, options: ClientOptions = {}): Promise<TestClient> {
    const client = new TestClient(url, options);
    await once(client.socket, 'open');
    return client;
  }

  /** Open, and welcomed. */
  static async greeted(url: string, options: ClientOptions = {}): Promise<TestClient> {
    const client = await TestClient.open(url, options);
    client.send({ kind: 'hello', protocolVersion, cluster: null });
    await until('a welcome', () => client.of('welcome').length === 1);
    return client;
  }

  send(...messages: ClientMessage[]): void {
    this.socket.send(encodeFrame(messages));
  }

  request(requestId: number, operation: RequestMessage['operation'], id?: RequestMessage['id']): void {
    this.send({ kind: 'request', requestId, operation, timeoutMs: null, ...(id === undefined ? {} : { id }) });
  }

  of<Kind extends ServerMessage['kind']>(kind: Kind): Extract<ServerMessage, { kind: Kind }>[] {
    return this.messages.filter((message): message is Extract<ServerMessage, { kind: Kind }> => message.kind === kind);
  }

  answers(): { requestId: number; kind: string; code?: string }[] {
    return this.of('answer').map(({ requestId, answer }) => ({
      requestId,
      kind: answer.kind,
      ...(answer.kind === 'error' ? { code: answer.code } : {}),
    }));
  }

  untilClosed(): Promise<void> {
    return until('the connection to be closed', () => this.closed !== null);
  }
}
