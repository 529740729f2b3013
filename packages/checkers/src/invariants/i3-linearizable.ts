import { judgeHistory } from '../check-history.ts';
import type { History } from '../history/events.ts';
import type { Limits } from '../limits.ts';
import type { Violation } from './facts.ts';

/**
 * I3: the consistent operations of a region are linearizable, promoted writes included as writes that end at their
 * promotion. `unknown` if a limit ended the search: no violation was found, and none was ruled out.
 */
export function checkLinearizable(history: History, limits: Limits = {}): readonly Violation[] | 'unknown' {
  const result = judgeHistory(history, limits);
  switch (result.verdict) {
    case 'linearizable':
      return [];
    case 'unknown':
      return 'unknown';
    case 'violated': {
      const { explanation, text } = result.counterexample;
      const where = result.region === undefined ? '' : ` in ${result.region}`;
      return [{ invariant: 'I3', key: result.key, message: `not linearizable${where}: ${explanation}\n${text}` }];
    }
  }
}
