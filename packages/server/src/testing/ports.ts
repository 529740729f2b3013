import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Three ports of loopback that were free a moment ago, for nodes that must come back at the same ones. */
export async function freePorts(): Promise<[number, number, number]> {
  const servers = [createServer(), createServer(), createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports as [number, number, number];
}
