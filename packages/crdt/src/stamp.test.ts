import { ByteReader, ByteWriter, compareBytes, replicaId, replicaIdMax, toHex } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clampStamp,
  compareStamps,
  decodeStamp,
  encodeStamp,
  HybridClock,
  stampAfter,
  stampBytes,
  stampCounterMax,
  stampFromText,
  stampMax,
  stampToText,
  stampWallMsMax,
  stampZero,
  type Stamp,
} from './index.ts';

const replicas = fc.integer({ min: 0, max: replicaIdMax }).map(replicaId);
const stamps: fc.Arbitrary<Stamp> = fc.record({
  wallMs: fc.oneof(fc.integer({ min: 0, max: stampWallMsMax }), fc.integer({ min: 0, max: 3 })),
  counter: fc.oneof(fc.integer({ min: 0, max: stampCounterMax }), fc.constantFrom(0, stampCounterMax)),
  replica: fc.oneof(replicas, fc.constantFrom(0, 1, 2).map(replicaId)),
});
/** Stamps that leave room above: what is admitted after clamping. */
const admitted = stamps.filter(({ wallMs }) => wallMs < stampWallMsMax);

function bytesOf(stamp: Stamp): Uint8Array {
  const w = new ByteWriter();
  encodeStamp(w, stamp);
  return w.finish();
}

describe('stamp', () => {
  it('bytes and text are inverse and sort like stamps', () => {
    fc.assert(
      fc.property(stamps, stamps, (a, b) => {
        expect(decodeStamp(new ByteReader(bytesOf(a)))).toEqual(a);
        expect(stampFromText(stampToText(a))).toEqual(a);
        expect(bytesOf(a)).toHaveLength(stampBytes);
        expect(toHex(bytesOf(a))).toBe(stampToText(a));
        expect(Math.sign(compareBytes(bytesOf(a), bytesOf(b)))).toBe(Math.sign(compareStamps(a, b)));
        expect(stampToText(a) < stampToText(b)).toBe(compareStamps(a, b) < 0);
      }),
    );
  });

  it('refuses text that is no stamp', () => {
    for (const text of ['', '0'.repeat(27), '0'.repeat(29), 'g'.repeat(28), 'A'.repeat(28)])
      expect(stampFromText(text)).toBeNull();
  });

  it('the stamp after a floor lies above it and not below the clock', () => {
    fc.assert(
      fc.property(admitted, fc.integer({ min: 0, max: stampWallMsMax }), replicas, (floor, nowMs, replica) => {
        const next = stampAfter(floor, nowMs, replica);
        expect(compareStamps(next, floor)).toBeGreaterThan(0);
        expect(next.wallMs).toBeGreaterThanOrEqual(nowMs);
        expect(next.replica).toBe(replica);
        const isSameReading = next.wallMs === floor.wallMs && next.counter === floor.counter;
        expect(isSameReading).toBe(false);
      }),
    );
  });

  it('a counter that overflows carries into the wall time', () => {
    const floor = { wallMs: 9, counter: stampCounterMax, replica: replicaId(5) };
    expect(stampAfter(floor, 3, replicaId(1))).toEqual({ wallMs: 10, counter: 0, replica: 1 });
  });

  it('a clock before 1970, past 48 bits or with a fraction is brought into range', () => {
    expect(stampAfter(stampZero, -5, replicaId(1))).toEqual({ wallMs: 0, counter: 1, replica: 1 });
    expect(stampAfter(stampZero, 2 ** 60, replicaId(1)).wallMs).toBe(stampWallMsMax);
    expect(stampAfter(stampZero, 7.9, replicaId(1)).wallMs).toBe(7);
  });

  it('a clamped stamp keeps to the limit, and the order of a replica is kept among clamped and unclamped ones', () => {
    const run = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 5 })), { maxLength: 30 });
    fc.assert(
      fc.property(run, (writes) => {
        const replica = replicaId(1);
        const clock = new HybridClock(replica);
        let floor = stampZero;
        let limitMs = 5;
        for (const [nowMs, limitStepMs] of writes) {
          const stamp = clock.next(nowMs * 3);
          limitMs += limitStepMs - 1;
          const fixed = clampStamp(stamp, limitMs, floor === stampZero ? null : floor);
          expect(fixed.wallMs).toBeLessThanOrEqual(limitMs);
          expect(compareStamps(fixed, floor)).toBeGreaterThan(0);
          floor = fixed;
        }
      }),
    );
  });

  it('order beats the limit when a new leader with a slower clock clamps the next write', () => {
    const floor = { wallMs: 100, counter: 4, replica: replicaId(1) };
    expect(clampStamp({ wallMs: 500, counter: 0, replica: replicaId(1) }, 50, floor)).toEqual({ ...floor, counter: 5 });
  });
});

describe('hybrid clock', () => {
  it('issues stamps that rise and lie above all that was observed, whatever the wall clock does', () => {
    const events = fc.array(
      fc.oneof(fc.record({ observe: admitted }), fc.record({ nowMs: fc.integer({ min: 0, max: stampWallMsMax - 1 }) })),
    );
    fc.assert(
      fc.property(events, (run) => {
        const clock = new HybridClock(replicaId(7));
        let highest = stampZero;
        for (const event of run) {
          if ('observe' in event) clock.observe(event.observe);
          const previous = highest;
          const lowest =
            'observe' in event ? stampMax(previous, event.observe) : stampAfter(previous, event.nowMs, replicaId(7));
          highest = 'observe' in event ? clock.last : clock.next(event.nowMs);
          expect(highest).toEqual(lowest);
          expect(clock.last).toEqual(highest);
        }
      }),
    );
  });

  it('a restart with the clock set back reuses no stamp', () => {
    const before = new HybridClock(replicaId(7));
    const issued = [before.next(1_000), before.next(1_000), before.next(1_001)];
    const after = new HybridClock(replicaId(7), before.last);
    for (const stamp of issued) expect(compareStamps(after.next(500), stamp)).toBeGreaterThan(0);
  });
});
