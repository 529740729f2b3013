import { nodeId, SeededRandom } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { settingsOf } from './options.ts';
import { testOptions } from './testing/test-node.ts';

const options = testOptions(nodeId('a'), new SeededRandom(1));

describe('options', () => {
  it('a heartbeat interval that reaches an election timeout is refused (§5.6)', () => {
    expect(() => settingsOf({ ...options, heartbeatTicks: 10, electionTicksMin: 10 })).toThrow(/heartbeat/);
    expect(() => settingsOf({ ...options, electionTicksMin: 30, electionTicksMax: 20 })).toThrow(/election/);
  });

  it('an append that does not fit into the window is refused', () => {
    expect(() => settingsOf({ ...options, appendBytesMax: 100, inflightBytesMax: 99 })).toThrow(/window/);
    expect(() => settingsOf({ ...options, inflightAppendsMax: 0 })).toThrow(/window/);
  });

  it('pre-vote and check-quorum are on unless told', () => {
    expect(settingsOf(options)).toMatchObject({ preVote: true, checkQuorum: true, applyBytesMax: 4 * 1024 * 1024 });
  });
});
