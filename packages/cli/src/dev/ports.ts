import { createServer } from 'node:net';
import { CliError } from '../exit-code.ts';
import type { DevNode } from './layout.ts';

/** Fails with the list of those that are taken unless every port of these nodes, and of `more`, is free. */
export async function requireFreePorts(nodes: readonly DevNode[], more: readonly number[] = []): Promise<void> {
  const ports = [...nodes.flatMap((node) => [node.clientPort, node.peerPort, node.adminPort]), ...more];
  const free = await Promise.all(ports.map(isFree));
  const taken = ports.filter((_, i) => free[i] !== true);
  if (taken.length === 0) return;
  throw new CliError(
    `port${taken.length > 1 ? 's' : ''} ${taken.join(', ')} of 127.0.0.1 ${taken.length > 1 ? 'are' : 'is'} in use ` +
      '(another dev cluster?); stop what listens there or choose another --base-port',
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
