import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CliError, exitCode } from '../exit-code.ts';
import type { DevState } from './state-file.ts';
import { nodeActions, type NodeAction } from './supervisor.ts';

/** An order to the supervisor of a dev cluster. */
export interface ControlOrder {
  readonly action: NodeAction;
  readonly node: string;
}

const orderBytesMax = 4_096;

/**
 * Takes orders from other terminals at a free port of the loopback interface. Whoever can read the state file has the
 * token; a page in a browser on this machine has not.
 */
export async function startControl(
  obey: (order: ControlOrder) => Promise<void>,
): Promise<{ server: Server; control: DevState['control'] }> {
  const token = randomBytes(24).toString('hex');
  const server = createServer((request, response) => {
    answer(request, token, obey).then(
      (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(body),
      (error: unknown) => {
        const refused = error instanceof CliError && error.code === exitCode.refused;
        response.writeHead(refused ? 409 : 400, { 'content-type': 'text/plain' }).end((error as Error).message);
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { server, control: { url: `http://127.0.0.1:${port}/`, token } };
}

async function answer(
  request: IncomingMessage,
  token: string,
  obey: (order: ControlOrder) => Promise<void>,
): Promise<string> {
  if (request.method !== 'POST' || !sameToken(request.headers.authorization ?? '', `Bearer ${token}`))
    throw new CliError('not allowed');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > orderBytesMax) throw new CliError('the order is too long');
    chunks.push(chunk as Buffer);
  }
  await obey(parseOrder(Buffer.concat(chunks).toString('utf8')));
  return '{}';
}

function parseOrder(text: string): ControlOrder {
  const raw = JSON.parse(text) as Record<string, unknown>;
  const action = nodeActions.find((name) => name === raw['action']);
  if (action === undefined || typeof raw['node'] !== 'string') throw new CliError('not an order');
  return { action, node: raw['node'] };
}

function sameToken(given: string, wanted: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(wanted);
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Gives an order to the supervisor that wrote `state`; resolves when it was carried out. */
export async function sendOrder(state: DevState, order: ControlOrder): Promise<void> {
  let response: Response;
  try {
    response = await fetch(state.control.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${state.control.token}` },
      body: JSON.stringify(order),
    });
  } catch (error) {
    throw new CliError(`the dev cluster does not answer: ${String((error as Error).cause ?? error)}`);
  }
  if (response.ok) return;
  throw new CliError(await response.text(), response.status === 409 ? exitCode.refused : exitCode.failure);
}
