import { describe, expect, it } from 'vitest';
import { FrameSplitter } from './frames.ts';

const head = Buffer.from('GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n');
const frames = [
  ['a text frame', Buffer.from([0x81, 2, 1, 2]), false],
  ['a masked binary frame', Buffer.from([0x82, 0x83, 9, 9, 9, 9, 1, 2, 3]), true],
  ['a frame without content', Buffer.from([0x82, 0]), true],
  ['a ping', Buffer.from([0x89, 0]), false],
  ['a frame of two bytes of length', Buffer.concat([Buffer.from([0x82, 126, 1, 0]), Buffer.alloc(256, 7)]), true],
  [
    'a frame of eight bytes of length',
    Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]), Buffer.alloc(65_536, 7)]),
    true,
  ],
] as const;
const all = Buffer.concat([head, ...frames.map(([, bytes]) => bytes)]);
const whole = [{ bytes: head, isBinary: false }, ...frames.map(([, bytes, isBinary]) => ({ bytes, isBinary }))];

describe('frames of a WebSocket connection', () => {
  it.each([1, 7, 1_000, all.length])('are found whole in pieces of %i bytes', (size) => {
    const splitter = new FrameSplitter();
    const found = [];
    for (let at = 0; at < all.length; at += size) found.push(...splitter.push(all.subarray(at, at + size)));
    expect(found.map(({ bytes, isBinary }) => `${isBinary} ${bytes.toString('hex')}`)).toEqual(
      whole.map(({ bytes, isBinary }) => `${isBinary} ${bytes.toString('hex')}`),
    );
  });
});
