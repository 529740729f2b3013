import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Ticker } from './ticker.ts';

const tickMs = 10;

beforeEach(() =>
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] }),
);
afterEach(() => vi.useRealTimers());

/** An owner as the turn loop is one; `rest` is what its node says. */
function setUp() {
  const owner = { rest: 0, wakeUps: 0, ticks: 0, log: [] as number[] };
  const take = (byTimer: boolean): void => {
    const count = ticker.take(performance.now(), byTimer);
    if (byTimer) owner.wakeUps++;
    owner.ticks += count;
    if (count > 0) owner.log.push(count);
    ticker.settle(performance.now(), count > 0);
  };
  const ticker = new Ticker({ tickMs, onDue: () => take(true), restTicks: () => owner.rest });
  ticker.start();
  /** Something else happens. */
  const event = (): void => take(false);
  return { owner, ticker, event };
}

test('a node at work ticks one by one', () => {
  const { owner, ticker } = setUp();
  vi.advanceTimersByTime(500);
  expect([owner.wakeUps, owner.ticks, ticker.resting]).toEqual([50, 50, false]);
});

test('a node that has been calm for a while wakes up only when a tick may come to something, and counts all of them', () => {
  const { owner, ticker } = setUp();
  owner.rest = 5;
  vi.advanceTimersByTime(100);
  expect([owner.ticks, ticker.resting]).toEqual([10, true]);
  vi.advanceTimersByTime(1_000);
  expect([owner.wakeUps, owner.ticks]).toEqual([10 + 20, 10 + 100]);
});

test('one busy moment puts the rest off', () => {
  const { owner, ticker } = setUp();
  owner.rest = 5;
  vi.advanceTimersByTime(90);
  owner.rest = 0;
  vi.advanceTimersByTime(10);
  owner.rest = 5;
  vi.advanceTimersByTime(90);
  expect(ticker.resting).toBe(false);
});

test('what happens during the rest finds the ticks counted that went by, and the rest begins anew', () => {
  const { owner, event } = setUp();
  owner.rest = 10;
  vi.advanceTimersByTime(100);
  owner.log = [];
  vi.advanceTimersByTime(57);
  event();
  expect(owner.log).toEqual([5]);
  event();
  expect(owner.log).toEqual([5]);
  vi.advanceTimersByTime(92);
  expect(owner.log).toEqual([5]);
  vi.advanceTimersByTime(1);
  expect(owner.log).toEqual([5, 10]);
});

test('work that comes during the rest brings the ticks back at once', () => {
  const { owner, ticker, event } = setUp();
  owner.rest = 10;
  vi.advanceTimersByTime(120);
  owner.rest = 0;
  event();
  expect(ticker.resting).toBe(false);
  const before = owner.ticks;
  vi.advanceTimersByTime(100);
  expect(owner.ticks - before).toBe(10);
});

test('after a pause of the process no more ticks are made up for than were planned at once', () => {
  const { owner, event } = setUp();
  owner.rest = 5;
  vi.advanceTimersByTime(100);
  owner.log = [];
  const now = performance.now();
  const stopped = vi.spyOn(performance, 'now').mockReturnValue(now + 60_000);
  event();
  event();
  expect(owner.log).toEqual([5]);
  stopped.mockRestore();
});

test('nothing comes after the stop', () => {
  const { owner, ticker, event } = setUp();
  owner.rest = 5;
  vi.advanceTimersByTime(200);
  ticker.stop();
  const before = owner.ticks;
  event();
  vi.advanceTimersByTime(1_000);
  expect(owner.ticks).toBe(before);
});
