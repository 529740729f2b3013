import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Relays } from './relays.ts';
import { until } from './until.ts';

it('passes nothing after the half of a frame that a connection is cut off in', async () => {
  const got: Buffer[] = [];
  let isClosed = false;
  const server = createServer((socket: Socket) => {
    socket.on('data', (data) => got.push(data));
    socket.on('error', () => {});
    socket.on('close', () => (isClosed = true));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const relays = await Relays.create(1);
  try {
    const own = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { peerUrl } = relays.regionOptions.advertise!('n1', { clientUrl: own, peerUrl: own });
    relays.peers(null, { cutAfterBytes: 30 });
    const socket = connect(Number(new URL(peerUrl).port), '127.0.0.1');
    socket.on('error', () => {});
    const frame = (text: string): Buffer => Buffer.concat([Buffer.from([0x82, text.length]), Buffer.from(text)]);
    // All in one piece, as TCP may hand it over.
    socket.write(Buffer.concat([Buffer.from('GET / HTTP/1.1\r\n\r\n'), frame('a'.repeat(20)), frame('b'.repeat(20))]));
    await until('the connection to be cut off', () => isClosed);
    const text = Buffer.concat(got).toString('latin1');
    expect([text.includes('aaa'), text.includes('b')]).toEqual([true, false]);
  } finally {
    relays.close();
    server.close();
  }
});
