import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { PeerLimits } from '../limits.ts';
import type { PeerMesh } from './mesh.ts';

export interface PeerListener {
  readonly port: number;
  /** Takes no more connections; those there are, the mesh closes. */
  readonly close: () => void;
}

/** Listens for peers. Connections are dropped until `mesh` is there, for the port must be known before the mesh is made. */
export async function listenForPeers(options: {
  readonly host: string;
  readonly port: number;
  readonly limits: PeerLimits;
  readonly mesh: () => PeerMesh | null;
}): Promise<PeerListener> {
  const server = new WebSocketServer({
    host: options.host,
    port: options.port,
    maxPayload: options.limits.frameBytesMax,
    perMessageDeflate: false,
    autoPong: false,
    clientTracking: false,
  });
  server.on('connection', (socket) => {
    const mesh = options.mesh();
    if (mesh === null) socket.terminate();
    else mesh.accept(socket);
  });
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}
