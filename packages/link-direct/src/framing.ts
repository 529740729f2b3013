import { DecodeError } from '@skerry/base';

/** Before each frame of a message: its length, 32 bits, big-endian. */
export const frameHeaderBytes = 4;

/** One message of these frames, in order; `byteCount` is the sum of their lengths. */
export function encodeMessage(frames: readonly Uint8Array[], byteCount: number): Buffer {
  const message = Buffer.allocUnsafe(byteCount + frames.length * frameHeaderBytes);
  let at = 0;
  for (const frame of frames) {
    at = message.writeUInt32BE(frame.length, at);
    message.set(frame, at);
    at += frame.length;
  }
  return message;
}

/**
 * Checks that `message` is nothing but frames; throws {@link DecodeError}. Called before the first of them is
 * delivered, so that a broken message delivers none.
 */
export function checkMessage(message: Buffer): void {
  if (message.length === 0) throw new DecodeError('a message without frames');
  let at = 0;
  while (at < message.length) {
    if (message.length - at < frameHeaderBytes) throw new DecodeError('the length of a frame is cut off');
    at += frameHeaderBytes + message.readUInt32BE(at);
  }
  if (at !== message.length) throw new DecodeError('a frame is cut off');
}

/** The frames of a checked message, one by one, as views of it: a message of many empty frames costs no memory. */
export function* framesOf(message: Buffer): Generator<Uint8Array> {
  for (let at = 0; at < message.length;) {
    const length = message.readUInt32BE(at);
    at += frameHeaderBytes;
    // Not a Buffer, whose slice() would be a view where a Uint8Array's is a copy.
    yield new Uint8Array(message.buffer, message.byteOffset + at, length);
    at += length;
  }
}
