import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { linkPath } from '@skerry/link-direct';
import { WebSocketServer } from 'ws';
import type { PeerLimits } from '../limits.ts';
import type { PeerMesh } from './mesh.ts';

export interface PeerListener {
  readonly port: number;
  /** Takes no more connections; those there are, the mesh and the link close. */
  readonly close: () => void;
}

export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/**
 * Listens for the nodes of this region and, under the path of links, for those of others. Connections are dropped until
 * `mesh` and `link` are there, for the port must be known before they are made. `link` null: nobody links here.
 */
export async function listenForPeers(options: {
  readonly host: string;
  readonly port: number;
  readonly limits: PeerLimits;
  readonly mesh: () => PeerMesh | null;
  readonly link: () => Upgrade | null;
}): Promise<PeerListener> {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.limits.frameBytesMax,
    perMessageDeflate: false,
    autoPong: false,
    clientTracking: false,
  });
  const server = createServer((_request, response) => {
    response.writeHead(426, { 'content-type': 'text/plain' }).end('for nodes, by WebSocket\n');
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (request.url === linkPath) {
      const take = options.link();
      if (take === null) socket.destroy();
      else take(request, socket, head);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const mesh = options.mesh();
      if (mesh === null) webSocket.terminate();
      else mesh.accept(webSocket);
    });
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}
