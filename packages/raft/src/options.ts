import { assert } from '@skerry/base';
import type { RaftOptions } from './types.ts';

/** {@link RaftOptions} with every default filled in. */
export type RaftSettings = Required<RaftOptions>;

const applyBytesMaxDefault = 4 * 1024 * 1024;

/** Fills in defaults and checks what the limits must be to each other. */
export function settingsOf(options: RaftOptions): RaftSettings {
  const settings = { applyBytesMax: applyBytesMaxDefault, preVote: true, checkQuorum: true, ...options };
  const { heartbeatTicks, electionTicksMin, electionTicksMax, appendBytesMax, inflightBytesMax } = settings;
  assert(
    heartbeatTicks >= 1 && heartbeatTicks < electionTicksMin && electionTicksMin <= electionTicksMax,
    'a heartbeat must come before any election timeout',
    {
      heartbeatTicks,
      electionTicksMin,
      electionTicksMax,
    },
  );
  assert(
    settings.inflightAppendsMax >= 1 && appendBytesMax >= 1 && inflightBytesMax >= appendBytesMax,
    'an append must fit into the window',
    {
      inflightAppendsMax: settings.inflightAppendsMax,
      inflightBytesMax,
      appendBytesMax,
    },
  );
  assert(
    settings.uncommittedBytesMax >= 1 && settings.applyBytesMax >= 1 && settings.entriesCachedBytesMax >= 0,
    'limits are positive',
    {
      uncommittedBytesMax: settings.uncommittedBytesMax,
      applyBytesMax: settings.applyBytesMax,
    },
  );
  return settings;
}
