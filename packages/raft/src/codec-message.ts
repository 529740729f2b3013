import { assert, DecodeError, unreachable, type ByteReader, type ByteWriter } from '@skerry/base';
import {
  decodeEntryBody,
  decodeIndex,
  decodeNodeId,
  decodeSnapshotMeta,
  decodeTerm,
  encodeEntryBody,
  encodeSnapshotMeta,
} from './codec-state.ts';
import type { AppendMessage, Message } from './messages.ts';
import type { Entry, LogIndex } from './types.ts';

/** The position in this list is the code on the wire: append only. */
const kinds: readonly Message['kind'][] = [
  'preVote',
  'preVoteResponse',
  'vote',
  'voteResponse',
  'append',
  'appendResponse',
  'heartbeat',
  'heartbeatResponse',
  'snapshot',
  'readIndex',
  'readIndexResponse',
  'timeoutNow',
  'commit',
];

/** Code, addresses, term, then the fields of the kind. */
export function encodeMessage(writer: ByteWriter, message: Message): void {
  writer.u8(kinds.indexOf(message.kind)).text(message.from).text(message.to).varint(message.term);
  switch (message.kind) {
    case 'preVote':
      writer.varint(message.lastIndex).varint(message.lastTerm).varint(message.commit).varint(message.commitTerm);
      return;
    case 'vote':
      writer
        .varint(message.lastIndex)
        .varint(message.lastTerm)
        .varint(message.commit)
        .varint(message.commitTerm)
        .bool(message.transfer);
      return;
    case 'preVoteResponse':
    case 'voteResponse':
      writer.bool(message.granted).varint(message.commit).varint(message.commitTerm);
      return;
    case 'append':
      encodeAppend(writer, message);
      return;
    case 'appendResponse':
      writer.bool(message.rejected).varint(message.index).varint(message.hintIndex).varint(message.hintTerm);
      return;
    case 'heartbeat':
      writer.varint(message.commit).varint(message.round);
      return;
    case 'heartbeatResponse':
      writer.varint(message.round);
      return;
    case 'snapshot':
      encodeSnapshotMeta(writer, message.meta);
      return;
    case 'readIndex':
      writer.varint(message.request);
      return;
    case 'readIndexResponse':
      writer.varint(message.request).bool(message.index !== null);
      if (message.index !== null) writer.varint(message.index);
      return;
    case 'timeoutNow':
      return;
    case 'commit':
      writer.varint(message.commit).varint(message.commitTerm);
      return;
    default:
      unreachable(message);
  }
}

/** Reads one message and leaves the reader after it. */
export function decodeMessage(reader: ByteReader): Message {
  const kind = kinds[reader.u8()];
  if (kind === undefined) throw new DecodeError('not a kind of raft message');
  const envelope = { from: decodeNodeId(reader), to: decodeNodeId(reader), term: decodeTerm(reader) };
  switch (kind) {
    case 'preVote':
      return {
        kind,
        ...envelope,
        lastIndex: decodeIndex(reader),
        lastTerm: decodeTerm(reader),
        commit: decodeIndex(reader),
        commitTerm: decodeTerm(reader),
      };
    case 'vote':
      return {
        kind,
        ...envelope,
        lastIndex: decodeIndex(reader),
        lastTerm: decodeTerm(reader),
        commit: decodeIndex(reader),
        commitTerm: decodeTerm(reader),
        transfer: reader.bool(),
      };
    case 'preVoteResponse':
    case 'voteResponse':
      return { kind, ...envelope, granted: reader.bool(), commit: decodeIndex(reader), commitTerm: decodeTerm(reader) };
    case 'append':
      return decodeAppend(reader, envelope);
    case 'appendResponse':
      return {
        kind,
        ...envelope,
        rejected: reader.bool(),
        index: decodeIndex(reader),
        hintIndex: decodeIndex(reader),
        hintTerm: decodeTerm(reader),
      };
    case 'heartbeat':
      return { kind, ...envelope, commit: decodeIndex(reader), round: reader.varint() };
    case 'heartbeatResponse':
      return { kind, ...envelope, round: reader.varint() };
    case 'snapshot':
      return { kind, ...envelope, meta: decodeSnapshotMeta(reader) };
    case 'readIndex':
      return { kind, ...envelope, request: reader.varint() };
    case 'readIndexResponse':
      return { kind, ...envelope, request: reader.varint(), index: reader.bool() ? decodeIndex(reader) : null };
    case 'timeoutNow':
      return { kind, ...envelope };
    case 'commit':
      return { kind, ...envelope, commit: decodeIndex(reader), commitTerm: decodeTerm(reader) };
    default:
      return unreachable(kind);
  }
}

/** Indexes of entries follow from `prevIndex` and are not sent. */
function encodeAppend(writer: ByteWriter, message: AppendMessage): void {
  writer.varint(message.prevIndex).varint(message.prevTerm).varint(message.commit).varint(message.entries.length);
  for (let i = 0; i < message.entries.length; i++) {
    const entry = message.entries[i] as Entry;
    assert(entry.index === message.prevIndex + 1 + i, 'entries of an append must be dense', {
      index: entry.index,
      prevIndex: message.prevIndex,
      i,
    });
    encodeEntryBody(writer, entry);
  }
}

function decodeAppend(reader: ByteReader, envelope: Pick<AppendMessage, 'from' | 'to' | 'term'>): AppendMessage {
  const prevIndex = decodeIndex(reader);
  const prevTerm = decodeTerm(reader);
  const commit = decodeIndex(reader);
  const entries: Entry[] = [];
  let term = prevTerm;
  const count = reader.count(3);
  if (!Number.isSafeInteger(prevIndex + count)) throw new DecodeError('an index is too large');
  for (let i = 1; i <= count; i++) {
    const entry = decodeEntryBody(reader, (prevIndex + i) as LogIndex);
    if (entry.term < term) throw new DecodeError('terms of an append go back');
    term = entry.term;
    entries.push(entry);
  }
  if (term > envelope.term) throw new DecodeError('an entry is of a later term than its message');
  return { kind: 'append', ...envelope, prevIndex, prevTerm, entries, commit };
}
