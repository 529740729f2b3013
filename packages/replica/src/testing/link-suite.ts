import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { equalBytes } from '@skerry/base';
import type { LinkHarness } from './link-harness.ts';
import { deliver, Ends, introduce, nextTurn, patterned, text, texts, untilTrue } from './link-ends.ts';
import { describeLinkLog } from './link-log-suite.ts';

export interface LinkSuiteOptions {
  readonly create: () => Promise<LinkHarness>;
  /** The link has a log; `harness.faults.log` is there. */
  readonly hasLog: boolean;
}

/** The acceptance suite of the link port: every implementation passes it. `create` makes a harness with nothing started. */
export function describeLink(name: string, { create, hasLog }: LinkSuiteOptions): void {
  describe(`${name}: the link port`, { timeout: 30_000 }, () => {
    let ends: Ends;
    beforeEach(async () => {
      ends = new Ends(await create());
    });
    afterEach(async () => {
      await Promise.all(ends.all.map((end) => end.call((link) => link.close())));
      await ends.harness.close();
      expect(ends.all.flatMap(({ reentered }) => reentered)).toEqual([]);
    });

    describeCarrying(() => ends);
    describeFailing(() => ends);
    if (hasLog) describeLinkLog(() => ends);
    else
      it('has no log', async () => {
        const a = await ends.start(1);
        expect(a.call((link) => link.log)).toBeNull();
      });
  });
}

function describeCarrying(get: () => Ends): void {
  it('carries frames of every size unchanged, both ways at once', async () => {
    const { harness, start, meet } = bound(get());
    const [a, b] = [await start(1), await start(2)];
    await meet(a, b);
    const sizes = [1, 2, 3, 125, 126, 65_535, 65_536, harness.frameBytesMax - 1, harness.frameBytesMax];
    for (const [i, size] of sizes.entries()) {
      a.send(b, patterned(size, i));
      b.send(a, patterned(size, i + 100));
      await untilTrue(`${size} bytes`, () => a.frames.length > i && b.frames.length > i);
      expect(equalBytes(b.frames[i]!.frame, patterned(size, i))).toBe(true);
      expect(equalBytes(a.frames[i]!.frame, patterned(size, i + 100))).toBe(true);
    }
    expect([a.frames.length, b.frames.length]).toEqual([sizes.length, sizes.length]);
  });

  it('keeps the order of frames, of one turn and of many', async () => {
    const { start, meet } = bound(get());
    const [a, b, other] = [await start(1), await start(2), await start(2, 2)];
    await meet(a, b, other);
    const sent: string[] = [];
    for (let turn = 0; turn < 100; turn++) {
      const frames = Array.from({ length: 1 + (turn % 20) }, (_, i) => `${turn}.${i}`);
      sent.push(...frames);
      b.send(a, ...frames.map(text));
      if (turn % 3 === 0) await nextTurn();
    }
    await untilTrue('all frames', () => a.frames.length >= sent.length);
    expect(texts(a.framesFrom(b))).toEqual(sent);
  });

  it('tells each frame apart by the region it comes from', async () => {
    const { start, meet } = bound(get());
    const [a, b, c] = [await start(1), await start(2), await start(3)];
    await meet(a, b, c);
    a.send(c, text('from a'));
    b.send(c, text('from b'));
    a.send(b, text('to b'));
    await untilTrue('all frames', () => c.frames.length === 2 && b.frames.length === 1);
    expect([texts(c.framesFrom(a)), texts(c.framesFrom(b)), texts(b.framesFrom(a))]).toEqual([
      ['from a'],
      ['from b'],
      ['to b'],
    ]);
    expect(a.frames).toEqual([]);
  });

  it('brings a frame to some node of the region, whichever node of the other region sends', async () => {
    const { start, meet } = bound(get());
    const [a1, a2] = [await start(1, 1), await start(1, 2)];
    const [b1, b2] = [await start(2, 1), await start(2, 2)];
    await meet(a1, a2, b1, b2);
    for (const [i, sender] of [a1, a2].entries()) sender.send(b1, text(`a${i}`));
    for (const [i, sender] of [b1, b2].entries()) sender.send(a1, text(`b${i}`));
    const cameTo = (...receivers: typeof ends): string[] =>
      texts(receivers.flatMap(({ frames }) => frames.map(({ frame }) => frame))).sort();
    const ends = [a1, a2, b1, b2];
    await untilTrue('all frames', () => cameTo(...ends).length >= 4);
    expect(new Set(cameTo(b1, b2))).toEqual(new Set(['a0', 'a1']));
    expect(new Set(cameTo(a1, a2))).toEqual(new Set(['b0', 'b1']));
  });

  it('drops a frame above the limit, says so, and carries the next', async () => {
    const { harness, start, meet } = bound(get());
    const [a, b] = [await start(1), await start(2)];
    await meet(a, b);
    const before = a.metric('link_frames_dropped_total');
    a.send(b, text('one'), patterned(harness.frameBytesMax + 1), text('two'));
    await untilTrue('both frames', () => b.frames.length === 2);
    expect(texts(b.framesFrom(a))).toEqual(['one', 'two']);
    expect(a.metric('link_frames_dropped_total') - before).toBe(1);
  });

  it('counts what it carried', async () => {
    const { start, meet } = bound(get());
    const [a, b] = [await start(1), await start(2)];
    await meet(a, b);
    a.send(b, text('one'), text('two'));
    await untilTrue('both frames', () => b.frames.length === 2);
    expect(a.metric('link_frames_sent_total')).toBe(2);
    expect(b.metric('link_frames_received_total')).toBe(2);
    expect([a.metric('link_frames_dropped_total'), b.metric('link_malformed_total')]).toEqual([0, 0]);
    await untilTrue('nothing is held', () => a.metric('link_unsent_bytes') === 0);
  });

  it('drops frames for a region that it was not told of, and says so', async () => {
    const { start, meet } = bound(get());
    const [a, b, c] = [await start(1), await start(2), await start(3)];
    await meet(a, b);
    await meet(b, c);
    a.send(c, text('nobody introduced us'));
    expect(a.metric('link_frames_dropped_total')).toBe(1);
    await deliver(b, c, 'barrier');
    expect(texts(c.framesFrom(a))).toEqual([]);
  });

  it('lets a region go that it is no longer told of, and takes it back', async () => {
    const { start, meet } = bound(get());
    const [a, b, c] = [await start(1), await start(2), await start(3)];
    await meet(a, b, c);
    introduce(a, c);
    await untilTrue('a lets b go', () => !a.sees(b));
    b.send(a, text('gone'));
    a.send(b, text('gone'));
    await deliver(a, c, 'barrier');
    await deliver(c, a, 'barrier');
    // What b sent before this is through whatever is between them: it cannot arrive late, when a knows b again.
    await deliver(b, c, 'barrier');
    introduce(a, b, c);
    await untilTrue('a takes b back', () => a.sees(b) && b.sees(a));
    await deliver(a, b, 'back');
    await deliver(b, a, 'back');
    expect([...texts(a.framesFrom(b)), ...texts(b.framesFrom(a))]).not.toContain('gone');
    expect(a.changes.filter((change) => change.endsWith(c.region))).toEqual([`up ${c.region}`]);
  });

  it('delivers nothing after it was closed, and is closed in peace', async () => {
    const { start, meet } = bound(get());
    const [a, b, c] = [await start(1), await start(2), await start(3)];
    await meet(a, b, c);
    for (let i = 0; i < 50; i++) b.send(a, patterned(10_000, i));
    const closing = a.call((link) => link.close());
    const [frames, changes] = [a.frames.length, a.changes.length];
    for (let i = 0; i < 50; i++) b.send(a, patterned(10_000, i));
    await closing;
    await a.call((link) => link.close());
    a.send(b, text('too late'));
    a.call((link) => link.cut(b.region));
    a.call((link) => link.heal(b.region));
    introduce(a, b, c);
    await untilTrue('the others know', () => !b.sees(a) && !c.sees(a));
    for (let i = 0; i < 20; i++) await deliver(b, c, `${i}`);
    expect([a.frames.length, a.changes.length]).toEqual([frames, changes]);
    expect(texts(b.framesFrom(a))).not.toContain('too late');
    expect([b.sees(a), c.sees(a)]).toEqual([false, false]);
  });
}

function describeFailing(get: () => Ends): void {
  it('lets nothing pass a cut, either way, counts it, and leaves other regions alone', async () => {
    const { start, meet } = bound(get());
    const [a, b, c] = [await start(1), await start(2), await start(3)];
    await meet(a, b, c);
    a.call((link) => link.cut(b.region));
    await untilTrue('a is told', () => !a.sees(b));
    const before = a.metric('link_frames_dropped_total');
    for (let i = 0; i < 10; i++) {
      a.send(b, text('cut'));
      b.send(a, text('cut'));
      await deliver(a, c, `${i}`);
      await deliver(c, a, `${i}`);
      await deliver(b, c, `${i}`);
    }
    expect(a.metric('link_frames_dropped_total') - before).toBe(10);
    a.call((link) => link.heal(b.region));
    await untilTrue('healed', () => a.sees(b) && b.sees(a));
    await deliver(a, b, 'healed');
    await deliver(b, a, 'healed');
    expect([...texts(a.framesFrom(b)), ...texts(b.framesFrom(a))]).not.toContain('cut');
    expect(c.changes).toEqual(expect.not.arrayContaining([`down ${a.region}`, `down ${b.region}`]));
  });

  it('keeps a cut that was made before the region was known', async () => {
    const { start } = bound(get());
    const [a, b, c] = [await start(1), await start(2), await start(3)];
    a.call((link) => link.cut(b.region));
    for (const end of [a, b, c]) introduce(end, a, b, c);
    await untilTrue('the others see each other', () => [a, b].every((end) => end.sees(c) && c.sees(end)));
    for (let i = 0; i < 20; i++) {
      b.send(a, text('cut'));
      await deliver(a, c, `${i}`);
      await deliver(b, c, `${i}`);
    }
    expect([a.sees(b), a.framesFrom(b).length]).toEqual([false, 0]);
    a.call((link) => link.heal(b.region));
    await untilTrue('healed', () => a.sees(b));
    await deliver(a, b, 'healed');
  });

  it('notices a peer that crashes, and that it is back at its address', async () => {
    const { start, meet } = bound(get());
    const [a, b] = [await start(1), await start(2)];
    await meet(a, b);
    await b.endpoint!.crash();
    await untilTrue('a notices', () => !a.sees(b));
    const again = await start(2, 1, b);
    introduce(again, a);
    await untilTrue('a sees it again', () => a.sees(again) && again.sees(a));
    await deliver(a, again, 'welcome');
    await deliver(again, a, 'back');
    expect(a.changes).toEqual([`up ${b.region}`, `down ${b.region}`, `up ${b.region}`]);
  });

  it('finds a peer that is back at another address', async () => {
    const { start, meet } = bound(get());
    const [a, b] = [await start(1), await start(2)];
    await meet(a, b);
    await b.endpoint!.crash();
    const moved = await start(2);
    introduce(moved, a);
    introduce(a, moved);
    await deliver(a, moved, 'there you are');
    await deliver(moved, a, 'here I am');
  });

  it('goes on with another node of a region when one crashes', async () => {
    const { start, meet } = bound(get());
    const [a, b1, b2] = [await start(1), await start(2, 1), await start(2, 2)];
    await meet(a, b1, b2);
    for (const [dead, living] of [
      [b1, b2],
      [b2, null],
    ] as const) {
      await dead.endpoint!.crash();
      if (living === null) break;
      await deliver(a, living, 'to the living');
      await deliver(living, a, 'from the living');
    }
    await untilTrue('nobody is left', () => !a.sees(b1));
  });

  it('survives what no link would send, says so, and delivers none of it', async () => {
    const { harness, start, meet } = bound(get());
    const [a, b] = [await start(1), await start(2)];
    await meet(a, b);
    await harness.faults.garbage(b.endpoint!);
    await untilTrue('it is counted', () => b.metric('link_malformed_total') > 0);
    await deliver(a, b, 'sound');
    await deliver(b, a, 'sound');
    expect(new Set(texts(b.frames.map(({ frame }) => frame)))).toEqual(new Set(['sound']));
  });

  it('holds a bounded number of bytes for a slow reader, and goes on with the others meanwhile', async () => {
    const { harness, start, meet } = bound(get());
    const [a, slow, other] = [await start(1), await start(2), await start(3)];
    await meet(a, slow, other);
    const release = harness.faults.slowReader(slow.endpoint!);
    const frame = patterned(Math.floor(harness.frameBytesMax / 2));
    const frameCount = Math.ceil((64 * 1_024 * 1_024) / frame.length);
    let unsentMost = 0;
    for (let i = 0; i < frameCount; i++) {
      a.send(slow, frame);
      a.send(other, text(`${i}`));
      unsentMost = Math.max(unsentMost, a.metric('link_unsent_bytes'));
      if (i % 8 === 0) await nextTurn();
    }
    await untilTrue('the other has all', () => other.frames.length === frameCount);
    expect(texts(other.framesFrom(a))).toEqual(Array.from({ length: frameCount }, (_, i) => `${i}`));
    expect(slow.frames.length).toBeLessThan(frameCount);
    expect(unsentMost).toBeGreaterThan(0);
    // The other region has its own allowance.
    expect(unsentMost).toBeLessThanOrEqual(2 * harness.unsentBytesMax);
    release();
    await deliver(a, slow, 'caught up');
    expect(slow.frames.every((each) => each.frame.length < 100 || equalBytes(each.frame, frame))).toBe(true);
  });
}

interface Bound {
  readonly harness: LinkHarness;
  readonly start: Ends['start'];
  readonly meet: Ends['meet'];
}

function bound(ends: Ends): Bound {
  return { harness: ends.harness, start: ends.start.bind(ends), meet: ends.meet.bind(ends) };
}
