import type { OpenSocket } from './host.ts';

/** The global WebSocket of a browser. */
export const openSocket: OpenSocket = (url, listener) => {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    listener.onOpen();
  };
  socket.onmessage = ({ data }: MessageEvent<unknown>) => {
    // A text frame is not of this protocol; no bytes make no frame, so the codec says so.
    listener.onFrame(data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(0));
  };
  socket.onclose = ({ code, reason }) => {
    listener.onClose(`${code} ${reason}`.trim());
  };
  return {
    send: (bytes) => {
      socket.send(bytes as Uint8Array<ArrayBuffer>);
    },
    bufferedBytes: () => socket.bufferedAmount,
    close: () => {
      socket.close();
    },
  };
};
