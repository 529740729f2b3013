import { drawSvg, drawText } from './draw.ts';
import type { History } from './history/events.ts';
import { linearizableOperations, regionsOf, type KeyValueOperation } from './history/calls.ts';
import { parseHistory } from './history/parse.ts';
import { checkLinearizability } from './linearizability.ts';
import type { LimitReason, Limits } from './limits.ts';
import {
  describeKeyValue,
  keyValueModel,
  type KeyValueInput,
  type KeyValueModel,
  type KeyValueOutput,
} from './models/key-value.ts';
import { outputOf } from './model.ts';
import { shrinkViolation, type Found } from './shrink.ts';

export type HistoryVerdict =
  | { readonly verdict: 'linearizable'; readonly operations: number; readonly steps: number }
  | {
      readonly verdict: 'violated';
      readonly steps: number;
      /** Where; undefined if the history names no regions. */
      readonly region: string | undefined;
      readonly key: string;
      readonly counterexample: Counterexample;
    }
  | {
      readonly verdict: 'unknown';
      readonly steps: number;
      readonly region: string | undefined;
      readonly key: string;
      readonly reason: LimitReason;
    };

/** A small part of the history that is itself not linearizable, and how to look at it. */
export interface Counterexample {
  readonly operations: readonly KeyValueOperation[];
  readonly blocked: KeyValueOperation;
  /** False if a limit ended the shrinking. */
  readonly minimal: boolean;
  readonly explanation: string;
  readonly text: string;
  readonly svg: string;
}

/** Judges a recorded history in any known format (I3). Throws `HistoryError` with the line if it cannot be read. */
export function checkHistory(text: string, limits: Limits = {}): HistoryVerdict {
  return judgeHistory(parseHistory(text), limits);
}

/**
 * Judges a history (I3): the consistent operations of each region must be linearizable, promoted writes included as
 * writes that end at their promotion. `limits` hold for each region; on a violation once more for the shrinking.
 */
export function judgeHistory(history: History, limits: Limits = {}): HistoryVerdict {
  const model = keyValueModel({ initial: history.initial });
  let operationCount = 0;
  let steps = 0;
  let gaveUp: HistoryVerdict | null = null;
  for (const region of regionsOf(history)) {
    const operations = linearizableOperations(history, region);
    const result = checkLinearizability(model, operations, limits);
    operationCount += operations.length;
    steps += result.steps;
    switch (result.verdict) {
      case 'ok':
        break;
      case 'violated': {
        const counterexample = explain(model, { operations, violation: result }, limits);
        return { verdict: 'violated', steps, region, key: result.partition, counterexample };
      }
      case 'unknown':
        gaveUp ??= { verdict: 'unknown', steps, region, key: result.partition, reason: result.reason };
        break;
    }
  }
  return gaveUp === null ? { verdict: 'linearizable', operations: operationCount, steps } : { ...gaveUp, steps };
}

function explain(model: KeyValueModel, found: Found<KeyValueInput, KeyValueOutput>, limits: Limits): Counterexample {
  const shrunk = shrinkViolation(model, found, limits);
  const total = found.operations.filter((operation) => operation.input.key === found.violation.partition).length;
  const drawing = { ...shrunk, describe: describeKeyValue };
  const { blocked, operations: left } = shrunk;
  return {
    ...shrunk,
    explanation:
      `${left.length} of ${total} operations of the key cannot be put in any order that their times allow: ` +
      `nothing explains ${describeKeyValue(blocked.input, outputOf(blocked))} by ${blocked.process}`,
    text: drawText(drawing),
    svg: drawSvg(drawing),
  };
}
