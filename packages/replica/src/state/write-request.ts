import { DecodeError, type ByteReader, type ByteWriter } from '@skerry/base';
import { CausalContext, type WriteRequest } from '@skerry/crdt';
import type { ValueChange } from '../requests.ts';
import { contextFromText } from '../view.ts';

/** Typed writes as commands carry them: all but the register's, which have commands of their own. */
export type UpdateRequest = Exclude<WriteRequest, { type: 'register' } | { type: 'delete' }>;

/** null: the context is not one. */
export function updateRequestOf(change: ValueChange): UpdateRequest | null {
  if (change.type === 'multiRegister') {
    if (change.context === null) return { ...change, context: null };
    const context = contextFromText(change.context);
    return context === null ? null : { ...change, context };
  }
  if (change.type === 'document' && change.action === 'compact') {
    const context = contextFromText(change.context);
    return context === null ? null : { ...change, context };
  }
  return change;
}

const codes = {
  multiRegister: 1,
  counterAdd: 2,
  counterReset: 3,
  setAdd: 4,
  setRemove: 5,
  flagEnable: 6,
  flagDisable: 7,
  documentChange: 8,
  documentCompact: 9,
} as const;

export function encodeUpdateRequest(writer: ByteWriter, request: UpdateRequest): void {
  switch (request.type) {
    case 'multiRegister':
      writer
        .u8(codes.multiRegister)
        .bytes(request.value)
        .bool(request.context !== null);
      request.context?.encode(writer);
      return;
    case 'counter':
      if (request.action === 'reset') writer.u8(codes.counterReset);
      else
        writer
          .u8(codes.counterAdd)
          .bool(request.amount < 0)
          .varint(Math.abs(request.amount));
      return;
    case 'set':
      writer.u8(request.action === 'add' ? codes.setAdd : codes.setRemove).bytes(request.element);
      return;
    case 'flag':
      writer.u8(request.action === 'enable' ? codes.flagEnable : codes.flagDisable);
      return;
    case 'document':
      writer
        .u8(request.action === 'change' ? codes.documentChange : codes.documentCompact)
        .varint(request.operations)
        .bytes(request.bytes);
      if (request.action === 'compact') request.context.encode(writer);
      return;
  }
}

export function decodeUpdateRequest(reader: ByteReader): UpdateRequest {
  const code = reader.u8();
  switch (code) {
    case codes.multiRegister: {
      const value = reader.bytes();
      return { type: 'multiRegister', value, context: reader.bool() ? CausalContext.decode(reader) : null };
    }
    case codes.counterAdd: {
      const isNegative = reader.bool();
      const amount = reader.varint();
      return { type: 'counter', action: 'add', amount: isNegative ? -amount : amount };
    }
    case codes.counterReset:
      return { type: 'counter', action: 'reset' };
    case codes.setAdd:
    case codes.setRemove:
      return { type: 'set', action: code === codes.setAdd ? 'add' : 'remove', element: reader.bytes() };
    case codes.flagEnable:
    case codes.flagDisable:
      return { type: 'flag', action: code === codes.flagEnable ? 'enable' : 'disable' };
    case codes.documentChange: {
      const operations = reader.varint();
      return { type: 'document', action: 'change', operations, bytes: reader.bytes() };
    }
    case codes.documentCompact: {
      const operations = reader.varint();
      const bytes = reader.bytes();
      return { type: 'document', action: 'compact', operations, bytes, context: CausalContext.decode(reader) };
    }
    default:
      throw new DecodeError(`unknown update ${code}`);
  }
}
