import { SeededRandom } from '@skerry/base';
import type { Answer } from '@skerry/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backOffMs, Call, type CallAction, type CallOptions } from './call.ts';
import { applied, errorAnswer, keyAnswer } from './testing/fake-cluster.ts';

const start = 1_000;
const random = new SeededRandom(1);
const write = (change: Partial<CallOptions> = {}): Call =>
  new Call({ write: true, repeatable: true, timeoutMs: 1_000, graceMs: 750, random, ...change }, start);
const read = (change: Partial<CallOptions> = {}): Call => write({ write: false, graceMs: 250, ...change });
const expired = (outcome: 'notApplied' | 'undecided' | null): CallAction => ({
  kind: 'settle',
  settlement: { kind: 'expired', outcome },
});
const failed = (code: string, definite: boolean): object => ({
  kind: 'settle',
  settlement: { kind: 'failed', code, definite },
});

describe('a write that is not blocking', () => {
  it('is notApplied when it never left before its deadline', () => {
    const call = write();
    expect(call.tick(start + 999)).toEqual({ kind: 'wait', untilMs: start + 1_000 });
    expect(call.tick(start + 1_000)).toEqual(expired('notApplied'));
  });

  it('asks the node for the time that is left', () => {
    expect(write().ready(start + 300)).toEqual({ kind: 'send', timeoutMs: 700, retry: false });
  });

  it('waits past its deadline for the fence of an attempt on the wire, then is undecided', () => {
    const call = write();
    call.ready(start);
    expect(call.tick(start + 1_000)).toEqual({ kind: 'wait', untilMs: start + 1_750 });
    expect(call.tick(start + 1_750)).toEqual(expired('undecided'));
  });

  it('takes the answer of a fence that comes within the grace, won or lost', () => {
    for (const outcome of ['applied', 'notApplied'] as const) {
      const call = write();
      call.ready(start);
      const answer = keyAnswer({ outcome, timeout: outcome === 'notApplied', valid: outcome === 'applied' });
      expect(call.answered(answer, start + 1_400)).toEqual({ kind: 'settle', settlement: { kind: 'answer', answer } });
    }
  });

  it('is sent again as a retry after its connection was lost', () => {
    const call = write();
    call.ready(start);
    expect(call.lost(start + 100)).toMatchObject({ kind: 'wait' });
    expect(call.ready(start + 200)).toEqual({ kind: 'send', timeoutMs: 800, retry: true });
  });

  it('asks another node to fence it when its connection is lost and the deadline has passed', () => {
    const call = write();
    call.ready(start);
    call.lost(start + 1_200);
    expect(call.ready(start + 1_300)).toEqual({ kind: 'send', timeoutMs: 0, retry: true });
    expect(call.tick(start + 1_750)).toEqual(expired('undecided'));
  });

  it('is undecided when its connection is lost and none comes back in time', () => {
    const call = write();
    call.ready(start);
    call.lost(start + 100);
    expect(call.tick(start + 1_749)).toMatchObject({ kind: 'wait' });
    expect(call.tick(start + 1_750)).toEqual(expired('undecided'));
  });

  it('is notApplied when every attempt was refused for certain', () => {
    const call = write();
    call.ready(start);
    call.answered(errorAnswer('NO_LEADER'), start + 10);
    expect(call.tick(start + 1_000)).toEqual(expired('notApplied'));
  });

  it('fails with OVERLOADED at once', () => {
    const call = write();
    call.ready(start);
    expect(call.answered(errorAnswer('OVERLOADED'), start + 1)).toMatchObject(failed('OVERLOADED', true));
  });
});

describe('a blocking write', () => {
  const blocking = (): Call => write({ timeoutMs: null });

  it('waits without an end', () => {
    const call = blocking();
    expect(call.tick(start + 1e12)).toEqual({ kind: 'wait', untilMs: Number.POSITIVE_INFINITY });
    expect(call.ready(start + 1e12)).toEqual({ kind: 'send', timeoutMs: null, retry: false });
    call.lost(start + 1e12);
    expect(call.tick(start + 2e12)).toEqual({ kind: 'wait', untilMs: Number.POSITIVE_INFINITY });
  });

  it.each(['NO_LEADER', 'STOPPING', 'OVERLOADED'] as const)('goes on after %s, with a pause', (code) => {
    const call = blocking();
    call.ready(start);
    const action = call.answered(errorAnswer(code), start);
    expect(action).toMatchObject({ kind: 'wait' });
    const { untilMs } = action as { untilMs: number };
    expect(untilMs).toBeGreaterThan(start);
    expect(call.ready(untilMs - 0.5)).toMatchObject({ kind: 'wait' });
    // A node that is stopping may have put it in a log.
    expect(call.ready(untilMs)).toEqual({ kind: 'send', timeoutMs: null, retry: code === 'STOPPING' });
  });

  it('fails with STORAGE_FULL when nothing was applied', () => {
    const call = blocking();
    call.ready(start);
    expect(call.answered(errorAnswer('STORAGE_FULL'), start)).toMatchObject(failed('STORAGE_FULL', true));
  });

  it('goes on after STORAGE_FULL when an earlier attempt may have been applied', () => {
    const call = blocking();
    call.ready(start);
    call.lost(start);
    call.ready(start);
    expect(call.answered(errorAnswer('STORAGE_FULL'), start)).toMatchObject({ kind: 'wait' });
  });

  it('fails with what is wrong in itself, whatever became of earlier attempts', () => {
    const call = blocking();
    call.ready(start);
    call.lost(start);
    call.ready(start);
    expect(call.answered(errorAnswer('LEASE_NOT_FOUND'), start)).toMatchObject(failed('LEASE_NOT_FOUND', true));
  });
});

describe('a write that a second node does not take', () => {
  it('is indefinite when the first one, with other limits, may have taken it', () => {
    const call = write();
    call.ready(start);
    call.lost(start);
    call.ready(start);
    expect(call.answered(errorAnswer('VALUE_TOO_LARGE'), start)).toMatchObject(failed('VALUE_TOO_LARGE', false));
    const only = write();
    only.ready(start);
    expect(only.answered(errorAnswer('VALUE_TOO_LARGE'), start)).toMatchObject(failed('VALUE_TOO_LARGE', true));
  });
});

describe('a session that expired', () => {
  it('is renewed when no attempt can have been applied', () => {
    const call = write();
    call.ready(start);
    expect(call.answered(errorAnswer('SESSION_EXPIRED'), start)).toEqual({ kind: 'renew', greeting: 'last' });
    expect(call.ready(start)).toEqual({ kind: 'send', timeoutMs: 1_000, retry: false });
  });

  it('leaves the write undecided when an earlier attempt may have been applied, even a blocking one', () => {
    for (const timeoutMs of [1_000, null]) {
      const call = write({ timeoutMs });
      call.ready(start);
      call.lost(start);
      call.ready(start);
      expect(call.answered(errorAnswer('SESSION_EXPIRED'), start)).toEqual(expired('undecided'));
    }
  });

  it('is not renewed for ever, and the end is definite', () => {
    for (const timeoutMs of [1_000, null]) {
      const call = write({ timeoutMs });
      for (const greeting of ['last', 'again', 'elsewhere']) {
        call.ready(start);
        expect(call.answered(errorAnswer('SESSION_EXPIRED'), start)).toEqual({ kind: 'renew', greeting });
      }
      call.ready(start);
      expect(call.answered(errorAnswer('SESSION_EXPIRED'), start)).toMatchObject({
        kind: 'settle',
        settlement: { kind: 'failed', code: 'SESSION_EXPIRED', definite: true },
      });
    }
  });

  it('SEQUENCE_ANSWERED leaves a write undecided', () => {
    const call = write();
    call.ready(start);
    expect(call.answered(errorAnswer('SEQUENCE_ANSWERED'), start)).toEqual(expired('undecided'));
  });
});

describe('an attempt that no frame can carry', () => {
  it('is definite when it is the first, and indefinite after one that was lost', () => {
    const call = write();
    call.ready(start);
    expect(call.refuse('VALUE_TOO_LARGE', '')).toMatchObject(failed('VALUE_TOO_LARGE', true));
    const other = write();
    other.ready(start);
    other.lost(start);
    other.ready(start);
    expect(other.refuse('VALUE_TOO_LARGE', '')).toMatchObject(failed('VALUE_TOO_LARGE', false));
  });
});

describe('the end by the caller', () => {
  it('is definite before the write left', () => {
    expect(write().stop('ABORTED')).toMatchObject(failed('ABORTED', true));
  });

  it('is indefinite while it is on the wire, and after its connection was lost', () => {
    const call = write();
    call.ready(start);
    expect(call.stop('ABORTED')).toMatchObject(failed('ABORTED', false));
    const other = write();
    other.ready(start);
    other.lost(start);
    expect(other.stop('CLOSED')).toMatchObject(failed('CLOSED', false));
  });

  it('comes once', () => {
    const call = write();
    call.stop('ABORTED');
    expect(call.stop('CLOSED')).toMatchObject({ kind: 'wait' });
    expect(call.answered(applied, start)).toMatchObject({ kind: 'wait' });
  });
});

describe('another region', () => {
  it('is not asked about a write that the first one may have applied', () => {
    const call = write({ timeoutMs: null });
    call.ready(start);
    call.lost(start);
    expect(call.regionLost(start)).toEqual(expired('undecided'));
  });

  it('gets a write that never left', () => {
    const call = write({ timeoutMs: null });
    expect(call.regionLost(start)).toMatchObject({ kind: 'wait' });
    expect(call.ready(start)).toMatchObject({ kind: 'send', retry: false });
  });
});

describe('what is no write', () => {
  it('has no outcome when it times out', () => {
    const call = read();
    call.ready(start);
    expect(call.tick(start + 1_249)).toMatchObject({ kind: 'wait' });
    expect(call.tick(start + 1_250)).toEqual(expired(null));
  });

  it('is repeated as often as its connection is lost', () => {
    const call = read({ timeoutMs: null });
    for (let i = 0; i < 5; i++) {
      expect(call.ready(start)).toEqual({ kind: 'send', timeoutMs: null, retry: false });
      expect(call.lost(start)).toMatchObject({ kind: 'wait' });
    }
  });

  it('is not repeated when it must not be, and its loss is indefinite', () => {
    const call = read({ repeatable: false, timeoutMs: null });
    call.ready(start);
    expect(call.lost(start)).toMatchObject(failed('CONNECTION_LOST', false));
  });
});

describe('back-off', () => {
  it('grows, has jitter and an end', () => {
    const many = (failures: number): number[] => Array.from({ length: 200 }, () => backOffMs(failures, random));
    expect(Math.max(...many(0))).toBeLessThanOrEqual(20);
    expect(Math.max(...many(3))).toBeGreaterThan(40);
    expect(Math.max(...many(60))).toBeLessThanOrEqual(1_000);
    expect(new Set(many(60)).size).toBeGreaterThan(50);
  });
});

/** I8, against everything a network and a node may do: who says definite must know. */
describe('a definite outcome', () => {
  type Event = 'ready' | 'lost' | 'late' | 'abort' | Answer;
  const events = fc.array(
    fc.oneof(
      fc.constantFrom<Event>('ready', 'ready', 'ready', 'lost', 'late'),
      fc.constantFrom<Event>('abort'),
      fc.constantFrom<Event>(
        ...(
          [
            'NO_LEADER',
            'STOPPING',
            'OVERLOADED',
            'STORAGE_FULL',
            'SESSION_EXPIRED',
            'SEQUENCE_ANSWERED',
            'PENDING_FULL',
          ] as const
        ).map((code) => errorAnswer(code)),
      ),
    ),
    { maxLength: 14 },
  );

  it('is never reported while an attempt that may have been applied has no answer', () => {
    fc.assert(
      fc.property(events, fc.constantFrom(null, 1_000), (list, timeoutMs) => {
        const call = write({ timeoutMs });
        let nowMs = start;
        let onWire = false;
        /** Some attempt left, and neither its result nor a refusal of it came back. */
        let unknown = false;
        for (const event of list) {
          nowMs += 200;
          let action: CallAction;
          if (event === 'ready') action = call.ready(nowMs);
          else if (event === 'lost') {
            unknown ||= onWire;
            onWire = false;
            action = call.lost(nowMs);
          } else if (event === 'late') action = call.tick((nowMs += 700));
          else if (event === 'abort') action = call.stop('ABORTED');
          else {
            if (!onWire) continue;
            unknown ||= event.kind === 'error' && (event.code === 'STOPPING' || event.code === 'SEQUENCE_ANSWERED');
            onWire = false;
            action = call.answered(event, nowMs);
          }
          if (action.kind === 'send') {
            expect(action.retry).toBe(unknown);
            onWire = true;
          }
          if (action.kind === 'renew') expect(unknown).toBe(false);
          if (action.kind !== 'settle') continue;
          const { settlement } = action;
          const definite =
            settlement.kind === 'expired'
              ? settlement.outcome !== 'undecided'
              : settlement.kind === 'failed' && settlement.definite;
          if (unknown || onWire) expect(definite).toBe(false);
          return;
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
