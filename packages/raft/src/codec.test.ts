import { ByteReader, ByteWriter, DecodeError, nodeId, type NodeId } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage } from './codec-message.ts';
import {
  decodeConfigState,
  decodeEntry,
  decodeHardState,
  decodeSnapshotMeta,
  encodeConfigState,
  encodeEntry,
  encodeHardState,
  encodeSnapshotMeta,
} from './codec-state.ts';
import { simpleConfig, enterChange } from './config-change.ts';
import type { Message } from './messages.ts';
import type { ConfigState, Entry, EntryKind, HardState, LogIndex, SnapshotMeta, Term } from './types.ts';

const ids = ['a', 'b', 'c', 'region-1-2', 'x.y'].map(nodeId);
const id = fc.constantFrom(...ids);
const index = fc.nat(2 ** 31).map((value) => value as LogIndex);
const term = fc.nat(1_000_000).map((value) => value as Term);
const kind = fc.constantFrom<EntryKind>('normal', 'config', 'noop');
const entry: fc.Arbitrary<Entry> = fc.record({
  index: index.filter((value) => value > 0),
  term,
  kind,
  data: fc.uint8Array({ maxLength: 40 }),
});
const hardState: fc.Arbitrary<HardState> = fc.record({ term, vote: fc.option(id), commit: index });
const config: fc.Arbitrary<ConfigState> = fc
  .record({
    voters: fc.subarray(ids, { minLength: 1 }),
    changes: fc.array(
      fc.record({ kind: fc.constantFrom('addVoter' as const, 'addLearner' as const, 'remove' as const), id }),
    ),
  })
  .map(({ voters, changes }) => enterChange(simpleConfig(voters), changes) ?? simpleConfig(voters));
const meta: fc.Arbitrary<SnapshotMeta> = fc.record({ index, term, config });
const known = { commit: index, commitTerm: term };
const envelope = { from: id, to: id, term };

/** Entries that follow each other, with terms that do not go back and stay below the message's. */
const append: fc.Arbitrary<Message> = fc
  .record({
    from: id,
    to: id,
    prevIndex: index,
    prevTerm: term,
    commit: index,
    steps: fc.array(fc.record({ step: fc.nat(3), kind, data: fc.uint8Array({ maxLength: 20 }) })),
  })
  .map(({ steps, ...rest }) => {
    let last: number = rest.prevTerm;
    const entries = steps.map((each, i): Entry => {
      last += each.step;
      return { index: (rest.prevIndex + 1 + i) as LogIndex, term: last as Term, kind: each.kind, data: each.data };
    });
    return { kind: 'append', ...rest, term: last as Term, entries };
  });

const message: fc.Arbitrary<Message> = fc.oneof(
  append,
  fc.record({ kind: fc.constant('preVote' as const), ...envelope, lastIndex: index, lastTerm: term, ...known }),
  fc.record({ kind: fc.constant('preVoteResponse' as const), ...envelope, granted: fc.boolean(), ...known }),
  fc.record({
    kind: fc.constant('vote' as const),
    ...envelope,
    lastIndex: index,
    lastTerm: term,
    transfer: fc.boolean(),
    ...known,
  }),
  fc.record({ kind: fc.constant('voteResponse' as const), ...envelope, granted: fc.boolean(), ...known }),
  fc.record({
    kind: fc.constant('appendResponse' as const),
    ...envelope,
    rejected: fc.boolean(),
    index,
    hintIndex: index,
    hintTerm: term,
  }),
  fc.record({ kind: fc.constant('heartbeat' as const), ...envelope, commit: index, round: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('heartbeatResponse' as const), ...envelope, round: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('snapshot' as const), ...envelope, meta }),
  fc.record({ kind: fc.constant('readIndex' as const), ...envelope, request: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant('readIndexResponse' as const),
    ...envelope,
    request: fc.maxSafeNat(),
    index: fc.option(index),
  }),
  fc.record({ kind: fc.constant('timeoutNow' as const), ...envelope }),
);

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(8);
  write(writer);
  return writer.finish();
}

function read<T>(bytes: Uint8Array, decode: (reader: ByteReader) => T): T {
  const reader = new ByteReader(bytes);
  const value = decode(reader);
  reader.end();
  return value;
}

function outcomeOf(bytes: Uint8Array): 'message' | 'DecodeError' | 'another error' {
  try {
    decodeMessage(new ByteReader(bytes));
    return 'message';
  } catch (error) {
    return error instanceof DecodeError ? 'DecodeError' : 'another error';
  }
}

describe('codec', () => {
  it('decode is the inverse of encode for every message', () => {
    fc.assert(
      fc.property(message, (each) => {
        expect(
          read(
            written((writer) => encodeMessage(writer, each)),
            decodeMessage,
          ),
        ).toEqual(each);
      }),
      { numRuns: 3000 },
    );
  });

  it('decode is the inverse of encode for everything that is stored', () => {
    fc.assert(
      fc.property(entry, hardState, config, meta, (anEntry, aHardState, aConfig, aMeta) => {
        expect(
          read(
            written((writer) => encodeEntry(writer, anEntry)),
            decodeEntry,
          ),
        ).toEqual(anEntry);
        expect(
          read(
            written((writer) => encodeHardState(writer, aHardState)),
            decodeHardState,
          ),
        ).toEqual(aHardState);
        expect(
          read(
            written((writer) => encodeConfigState(writer, aConfig)),
            decodeConfigState,
          ),
        ).toEqual(aConfig);
        expect(
          read(
            written((writer) => encodeSnapshotMeta(writer, aMeta)),
            decodeSnapshotMeta,
          ),
        ).toEqual(aMeta);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses every truncation of a message with DecodeError', () => {
    fc.assert(
      fc.property(message, (each) => {
        const bytes = written((writer) => encodeMessage(writer, each));
        for (let length = 0; length < bytes.length; length++) {
          expect(() => read(bytes.subarray(0, length), decodeMessage)).toThrow(DecodeError);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('answers garbage with DecodeError or a message, never with another error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(11), (garbage, code) => {
        expect(outcomeOf(Uint8Array.from([code, 1, 97, 1, 98, ...garbage]))).not.toBe('another error');
      }),
      { numRuns: 3000 },
    );
  });

  it('hands out the data of an entry as a view of the input', () => {
    const bytes = written((writer) =>
      encodeEntry(writer, { index: 1 as LogIndex, term: 1 as Term, kind: 'normal', data: new Uint8Array(9) }),
    );
    expect(decodeEntry(new ByteReader(bytes)).data.buffer).toBe(bytes.buffer);
  });

  it('refuses a configuration that breaks an invariant', () => {
    const broken: Record<
      string,
      { voters: string[]; votersOutgoing?: string[]; learners?: string[]; learnersNext?: string[] }
    > = {
      'no voters': { voters: [] },
      unsorted: { voters: ['b', 'a'] },
      twice: { voters: ['a', 'a'] },
      'a learner that votes': { voters: ['a'], learners: ['a'] },
      'a next learner from nowhere': { voters: ['a'], learnersNext: ['b'] },
    };
    const list = (names: string[] = []): NodeId[] => names.map(nodeId);
    for (const [why, lists] of Object.entries(broken)) {
      const state = {
        voters: list(lists.voters),
        votersOutgoing: list(lists.votersOutgoing),
        learners: list(lists.learners),
        learnersNext: list(lists.learnersNext),
      };
      expect(
        () =>
          read(
            written((writer) => encodeConfigState(writer, state)),
            decodeConfigState,
          ),
        why,
      ).toThrow(DecodeError);
    }
  });

  it('refuses an append whose terms go back or exceed its own', () => {
    const base = {
      kind: 'append' as const,
      from: nodeId('a'),
      to: nodeId('b'),
      prevIndex: 4 as LogIndex,
      prevTerm: 3 as Term,
      commit: 0 as LogIndex,
    };
    const at = (entryTerm: number): Entry => ({
      index: 5 as LogIndex,
      term: entryTerm as Term,
      kind: 'normal',
      data: new Uint8Array(0),
    });
    for (const [termOfMessage, termOfEntry] of [
      [5, 2],
      [5, 6],
    ] as const) {
      const bytes = written((writer) =>
        encodeMessage(writer, { ...base, term: termOfMessage as Term, entries: [at(termOfEntry)] }),
      );
      expect(() => read(bytes, decodeMessage)).toThrow(DecodeError);
    }
  });
});
