import { WebSocket } from 'ws';
import type { OpenSocket } from './host.ts';

/** `ws`: faster than the WebSocket that newer versions of Node have. */
export const openSocket: OpenSocket = (url, listener) => {
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    skipUTF8Validation: true,
    // A mask of zeros costs no pass over the bytes on either side. Masks protect web proxies from scripts in browsers
    // (RFC 6455, section 10.3), which have a socket of their own.
    generateMask: () => {},
  });
  let failure = '';
  socket.on('open', () => {
    listener.onOpen();
  });
  socket.on('message', (data, isBinary) => {
    listener.onFrame(isBinary ? (data as Buffer) : new Uint8Array(0));
  });
  // Always followed by 'close'.
  socket.on('error', (error) => {
    failure = error.message;
  });
  socket.on('close', (code, reason) => {
    listener.onClose(failure === '' ? `${code} ${reason.toString()}`.trim() : failure);
  });
  return {
    send: (bytes) => {
      socket.send(bytes);
    },
    bufferedBytes: () => socket.bufferedAmount,
    close: () => {
      socket.close();
      // A half-open peer never answers the closing handshake.
      setTimeout(() => {
        socket.terminate();
      }, 1_000).unref();
    },
  };
};
