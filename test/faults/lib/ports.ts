import { createServer } from 'node:net';

/** Below the range that the system takes for outgoing connections, which might take the port of a node that is down. */
const portMin = 22_000;
const portMax = 32_000;
const given = new Set<number>();

/** Ports of the loopback interface on which nobody listens, each given out once. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
