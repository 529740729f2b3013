import { ProtocolError } from './errors.ts';
import { Refusal } from './layout.ts';
import {
  answerLayout,
  answerTag,
  causalityLayout,
  clientControlLayout,
  operationLayout,
  requestIdLayout,
  requestTag,
  serverControlLayout,
  timeoutLayout,
  writeIdLayout,
} from './layouts.ts';
import {
  frameBytesMaxDefault,
  type ClientMessage,
  type RefusedRequest,
  type RequestMessage,
  type ServerMessage,
} from './messages.ts';
import type { ControlOperation, Operation } from './operations.ts';
import { packWire, unpackWire, type Wire } from './wire.ts';

/**
 * A frame is one binary WebSocket message that carries all messages of one turn of the event loop, in order. A message
 * is an array: its tag, then its fields by position. See docs/protocol.md.
 */
export function encodeFrame(messages: readonly (ClientMessage | ServerMessage)[]): Uint8Array {
  const wires: Wire[] = [];
  for (const message of messages) wires.push(writeMessage(message));
  return packWire(wires);
}

/**
 * What a client sent. A request that is bad by itself comes as {@link RefusedRequest}, to be answered with that error;
 * a frame that is bad as such throws {@link ProtocolError}, and the connection ends. Bytes are views of the frame.
 * Limits of keys, values and counts are the replica's to check; the frame's size bounds what is built here.
 */
export function decodeClientFrame(
  bytes: Uint8Array,
  frameBytesMax: number = frameBytesMaxDefault,
): (ClientMessage | RefusedRequest)[] {
  return decodeFrame(bytes, frameBytesMax, (wire) =>
    wire[0] === requestTag ? readRequest(wire) : clientControlLayout.read(wire),
  );
}

/** What a server sent. Throws {@link ProtocolError} on anything else. Bytes are views of the frame. */
export function decodeServerFrame(bytes: Uint8Array, frameBytesMax: number = Number.MAX_SAFE_INTEGER): ServerMessage[] {
  return decodeFrame(bytes, frameBytesMax, (wire) => {
    if (wire[0] !== answerTag) return serverControlLayout.read(wire);
    if (wire.length !== 3) throw new Refusal('UNKNOWN_FIELD', `an answer message of ${wire.length} elements`);
    return { kind: 'answer', requestId: requestIdLayout.read(wire[1]), answer: answerLayout.read(wire[2]) };
  });
}

/** True if the operation must carry a write id: its effect goes through the log and is owed once. */
export function isWrite(operation: Operation | ControlOperation): boolean {
  switch (operation.kind) {
    case 'set':
    case 'delete':
    case 'update':
    case 'swap':
    case 'txn':
    case 'leaseGrant':
    case 'leaseKeepAlive':
    case 'leaseRevoke':
      return true;
    default:
      return false;
  }
}

/** True if the request may say what its session has seen elsewhere. */
export function isRead(operation: Operation | ControlOperation): boolean {
  switch (operation.kind) {
    case 'get':
    case 'read':
    case 'list':
    case 'conflicts':
      return true;
    default:
      return false;
  }
}

function decodeFrame<T>(bytes: Uint8Array, frameBytesMax: number, read: (wire: readonly Wire[]) => T): T[] {
  if (bytes.length > frameBytesMax)
    throw new ProtocolError('FRAME_TOO_LARGE', `${bytes.length} bytes, at most ${frameBytesMax}`);
  const frame = unpackWire(bytes);
  if (!Array.isArray(frame)) throw new ProtocolError('MALFORMED_FRAME', 'a frame is an array of messages');
  return frame.map((wire: Wire) => {
    if (!Array.isArray(wire)) throw new ProtocolError('MALFORMED_FRAME', 'a message is an array');
    try {
      return read(wire);
    } catch (error) {
      if (error instanceof Refusal) throw new ProtocolError('MALFORMED_FRAME', `${error.code}: ${error.message}`);
      throw error;
    }
  });
}

function readRequest(wire: readonly Wire[]): RequestMessage | RefusedRequest {
  const requestId = requestIdLayout.read(wire[1]);
  try {
    if (wire.length > 6) throw new Refusal('UNKNOWN_FIELD', `a request of ${wire.length} elements`);
    const timeoutMs = timeoutLayout.read(wire[2]);
    const operation = operationLayout.read(wire[4]);
    const write = isWrite(operation);
    if ((wire[3] !== null) !== write)
      throw new Refusal('BAD_REQUEST', write ? 'a write needs an id' : 'only a write has an id');
    const after = wire[5];
    if (after !== null) {
      if (!isRead(operation)) throw new Refusal('BAD_REQUEST', 'only a read has an after');
      return { kind: 'request', requestId, operation, timeoutMs, after: causalityLayout.read(after) };
    }
    if (!write) return { kind: 'request', requestId, operation, timeoutMs };
    return { kind: 'request', requestId, operation, id: writeIdLayout.read(wire[3]), timeoutMs };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { kind: 'refused', requestId, code: error.code, detail: error.message };
  }
}

function writeMessage(message: ClientMessage | ServerMessage): Wire {
  switch (message.kind) {
    case 'request':
      return [
        requestTag,
        message.requestId,
        message.timeoutMs,
        message.id === undefined ? null : writeIdLayout.write(message.id),
        operationLayout.write(message.operation),
        message.after === undefined ? null : causalityLayout.write(message.after),
      ];
    case 'answer':
      return [answerTag, message.requestId, answerLayout.write(message.answer)];
    case 'hello':
    case 'cancel':
    case 'ping':
      return clientControlLayout.write(message);
    case 'welcome':
    case 'members':
    case 'seen':
    case 'goodbye':
    case 'pong':
      return serverControlLayout.write(message);
  }
}
