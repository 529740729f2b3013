import { DecodeError, isName, type ByteReader, type ByteWriter, type NodeId } from '@skerry/base';
import { configStateFault } from './config-change.ts';
import type { ConfigState, Entry, EntryKind, HardState, LogIndex, SnapshotMeta, Term } from './types.ts';

/*
 * Compact encodings of what is stored and sent. Decoding checks everything that an invariant relies on and throws
 * DecodeError; `data` of a decoded entry is a view of the input.
 */

const entryKinds: readonly EntryKind[] = ['normal', 'config', 'noop'];

export function encodeEntry(writer: ByteWriter, entry: Entry): void {
  writer.varint(entry.index);
  encodeEntryBody(writer, entry);
}

export function decodeEntry(reader: ByteReader): Entry {
  const index = decodeIndex(reader);
  if (index === 0) throw new DecodeError('an entry has index 0');
  return decodeEntryBody(reader, index);
}

/** An entry whose index is known from its neighbours. */
export function encodeEntryBody(writer: ByteWriter, entry: Entry): void {
  writer.varint(entry.term).u8(entryKinds.indexOf(entry.kind)).bytes(entry.data);
}

export function decodeEntryBody(reader: ByteReader, index: LogIndex): Entry {
  const term = decodeTerm(reader);
  const kind = entryKinds[reader.u8()];
  if (kind === undefined) throw new DecodeError('not a kind of entry');
  return { index, term, kind, data: reader.bytes() };
}

export function encodeHardState(writer: ByteWriter, state: HardState): void {
  writer
    .varint(state.term)
    .varint(state.commit)
    .bool(state.vote !== null);
  if (state.vote !== null) writer.text(state.vote);
}

export function decodeHardState(reader: ByteReader): HardState {
  const term = decodeTerm(reader);
  const commit = decodeIndex(reader);
  return { term, commit, vote: reader.bool() ? decodeNodeId(reader) : null };
}

export function encodeConfigState(writer: ByteWriter, config: ConfigState): void {
  for (const list of [config.voters, config.votersOutgoing, config.learners, config.learnersNext]) {
    writer.varint(list.length);
    for (const id of list) writer.text(id);
  }
}

export function decodeConfigState(reader: ByteReader): ConfigState {
  const config = {
    voters: decodeNodeIds(reader),
    votersOutgoing: decodeNodeIds(reader),
    learners: decodeNodeIds(reader),
    learnersNext: decodeNodeIds(reader),
  };
  const fault = configStateFault(config);
  if (fault !== null) throw new DecodeError(`invalid configuration: ${fault}`);
  return config;
}

export function encodeSnapshotMeta(writer: ByteWriter, meta: SnapshotMeta): void {
  writer.varint(meta.index).varint(meta.term);
  encodeConfigState(writer, meta.config);
}

export function decodeSnapshotMeta(reader: ByteReader): SnapshotMeta {
  return { index: decodeIndex(reader), term: decodeTerm(reader), config: decodeConfigState(reader) };
}

export function decodeTerm(reader: ByteReader): Term {
  return reader.varint() as Term;
}

export function decodeIndex(reader: ByteReader): LogIndex {
  return reader.varint() as LogIndex;
}

export function decodeNodeId(reader: ByteReader): NodeId {
  const text = reader.text();
  if (!isName(text)) throw new DecodeError('not a node name');
  return text as NodeId;
}

function decodeNodeIds(reader: ByteReader): NodeId[] {
  const ids: NodeId[] = [];
  for (let count = reader.count(2); count > 0; count--) ids.push(decodeNodeId(reader));
  return ids;
}
