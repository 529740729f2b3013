import { expect, it } from 'vitest';
import { equalBytes, partitionId, replicaId, type PartitionId, type ReplicaId } from '@skerry/base';
import type { LogBatch } from '../ports/link.ts';
import { deliver, untilTrue, type End, type Ends } from './link-ends.ts';

const p0 = partitionId(0);
const p1 = partitionId(1);
const origin1 = replicaId(101);
const origin2 = replicaId(202);

/** The part of the link suite for links that have a log per origin. */
export function describeLinkLog(get: () => Ends): void {
  it('delivers what was published, from the first entry on, and acknowledges it', async () => {
    const [a, b] = await two(get());
    publish(a, { first: 1, last: 3 });
    publish(a, { first: 4, last: 4 });
    await acknowledged(a, 4);
    subscribe(b, a, 1);
    await covered(b, a, [1, 4]);
    publish(a, { first: 5, last: 9 });
    await covered(b, a, [1, 9]);
  });

  it('delivers what is published after the subscription to an empty log', async () => {
    const [a, b] = await two(get());
    subscribe(b, a, 1);
    publish(a, { first: 1, last: 2 });
    await covered(b, a, [1, 2]);
  });

  it('begins where it is told, or in the batch that has that entry', async () => {
    const [a, b] = await two(get());
    for (let first = 1; first <= 91; first += 10) publish(a, { first, last: first + 9 });
    await acknowledged(a, 100);
    subscribe(b, a, 55);
    await covered(b, a, [55, 100]);
    expect(Math.min(...b.batches.map(({ first }) => first))).toBeGreaterThanOrEqual(51);
  });

  it('goes back to an earlier place when it is told so, and ahead', async () => {
    const [a, b] = await two(get());
    for (let first = 1; first <= 10; first++) publish(a, { first, last: first });
    subscribe(b, a, 8);
    await covered(b, a, [8, 10]);
    subscribe(b, a, 2);
    await covered(b, a, [2, 10]);
    b.batches.length = 0;
    subscribe(b, a, 10);
    await covered(b, a, [10, 10]);
    publish(a, { first: 11, last: 12 });
    await covered(b, a, [10, 12]);
  });

  it('takes the same entries twice, cut into other batches, without losing any', async () => {
    const [a, b] = await two(get());
    publish(a, { first: 1, last: 10 });
    publish(a, { first: 1, last: 10 });
    publish(a, { first: 5, last: 15 });
    await acknowledged(a, 15);
    subscribe(b, a, 1);
    await covered(b, a, [1, 15]);
    publish(a, { first: 16, last: 20 });
    await covered(b, a, [1, 20]);
  });

  it('takes the entries of one origin from an old and a new leader', async () => {
    const ends = get();
    const [a1, a2, b] = [await ends.start(1, 1), await ends.start(1, 2), await ends.start(2)];
    await ends.meet(a1, a2, b);
    subscribe(b, a1, 1);
    publish(a1, { first: 1, last: 10 });
    publish(a2, { first: 6, last: 12 });
    publish(a1, { first: 11, last: 14 });
    publish(a2, { first: 13, last: 20 });
    await acknowledged(a2, 20);
    await covered(b, a1, [1, 20]);
  });

  it('keeps origins and partitions apart', async () => {
    const ends = get();
    const [a, b, c] = [await ends.start(1), await ends.start(2), await ends.start(3)];
    await ends.meet(a, b, c);
    subscribe(c, a, 1, { partition: p0, origin: origin1 });
    subscribe(c, a, 1, { partition: p1, origin: origin1 });
    subscribe(c, a, 1, { partition: p0, origin: origin2 });
    subscribe(c, b, 1, { partition: p0, origin: origin1 });
    publish(a, { first: 1, last: 3, partition: p0, origin: origin1 });
    publish(a, { first: 1, last: 4, partition: p1, origin: origin1 });
    publish(a, { first: 1, last: 5, partition: p0, origin: origin2 });
    publish(b, { first: 1, last: 6, partition: p0, origin: origin1 });
    await covered(c, a, [1, 3], { partition: p0, origin: origin1 });
    await covered(c, a, [1, 4], { partition: p1, origin: origin1 });
    await covered(c, a, [1, 5], { partition: p0, origin: origin2 });
    await covered(c, b, [1, 6], { partition: p0, origin: origin1 });
    expect([...numbers(c, a)]).toEqual([1, 2, 3]);
  });

  it('delivers no more once it is told to stop', async () => {
    const ends = get();
    const [a, b, c] = [await ends.start(1), await ends.start(2), await ends.start(3)];
    await ends.meet(a, b, c);
    subscribe(b, a, 1);
    subscribe(c, a, 1);
    publish(a, { first: 1, last: 2 });
    await covered(b, a, [1, 2]);
    subscribe(b, a, null);
    for (let first = 3; first <= 30; first++) publish(a, { first, last: first });
    await covered(c, a, [1, 30]);
    await deliver(a, b, 'barrier');
    expect([...numbers(b, a)]).toEqual([1, 2]);
  });

  it('lets nothing of the log pass a cut', async () => {
    const ends = get();
    const [a, b, c] = [await ends.start(1), await ends.start(2), await ends.start(3)];
    await ends.meet(a, b, c);
    for (const end of [b, c]) subscribe(end, a, 1);
    publish(a, { first: 1, last: 2 });
    await covered(b, a, [1, 2]);
    b.call((link) => link.cut(a.region));
    publish(a, { first: 3, last: 4 });
    await covered(c, a, [1, 4]);
    await deliver(c, b, 'barrier');
    expect([...numbers(b, a)]).toEqual([1, 2]);
    b.call((link) => link.heal(a.region));
    // What was missed comes by itself or by a new subscription; the replica makes one when the region is up.
    await untilTrue('healed', () => b.sees(a));
    subscribe(b, a, 3);
    await covered(b, a, [1, 4]);
  });

  it('delivers nothing of the log after it was closed', async () => {
    const ends = get();
    const [a, b, c] = [await ends.start(1), await ends.start(2), await ends.start(3)];
    await ends.meet(a, b, c);
    for (const end of [b, c]) subscribe(end, a, 1);
    publish(a, { first: 1, last: 2 });
    await covered(b, a, [1, 2]);
    await b.call((link) => link.close());
    publish(a, { first: 3, last: 4 });
    await covered(c, a, [1, 4]);
    expect([...numbers(b, a)]).toEqual([1, 2]);
  });

  it('goes on after the log was purged, with what is published from then on', async () => {
    const ends = get();
    const [a, b] = await two(ends);
    subscribe(b, a, 1);
    publish(a, { first: 1, last: 5 });
    await covered(b, a, [1, 5]);
    await logFaults(ends).purge(a.region);
    publish(a, { first: 6, last: 7 });
    await covered(b, a, [1, 7]);
  });

  it('goes on after the log was made anew', async () => {
    const ends = get();
    const [a, b] = await two(ends);
    subscribe(b, a, 1);
    publish(a, { first: 1, last: 5 });
    await covered(b, a, [1, 5]);
    await logFaults(ends).recreate(a.region);
    // The replica subscribes again when it sees that nothing comes; entries published meanwhile may be lost to the log.
    await untilTrue('entries come again', () => {
      publish(a, { first: 6, last: 7 });
      subscribe(b, a, 6);
      return numbers(b, a).has(7);
    });
  });

  it('goes on after the log was stalled, and acknowledges nothing wrongly for ever', async () => {
    const ends = get();
    const [a, b] = await two(ends);
    subscribe(b, a, 1);
    publish(a, { first: 1, last: 2 });
    await covered(b, a, [1, 2]);
    const go = await logFaults(ends).stall();
    publish(a, { first: 3, last: 4 });
    await go();
    await untilTrue('entries come again', () => {
      publish(a, { first: 3, last: 4 });
      return numbers(b, a).has(4);
    });
    await acknowledged(a, 4);
  });
}

interface LogName {
  readonly partition: PartitionId;
  readonly origin: ReplicaId;
}

const usual: LogName = { partition: p0, origin: origin1 };

function publish(
  end: End,
  { first, last, ...name }: { readonly first: number; readonly last: number } & Partial<LogName>,
): void {
  const batch = { ...usual, ...name, region: end.region, first, last };
  end.call((link) => link.log?.publish({ ...batch, bytes: bytesOf(batch) }));
}

function subscribe(end: End, to: End, from: number | null, { partition, origin }: LogName = usual): void {
  end.call((link) => link.log?.subscribe(partition, { region: to.region, origin }, from));
}

async function acknowledged(end: End, last: number): Promise<void> {
  await untilTrue(`entry ${last} is acknowledged`, () =>
    end.acknowledged.some((each) => each.partition === p0 && each.origin === origin1 && each.last >= last),
  );
}

/** Waits until all these entries came, and checks that each batch is one that was published. */
async function covered(
  end: End,
  of: End,
  [first, last]: readonly [number, number],
  name: LogName = usual,
): Promise<void> {
  const wanted = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  await untilTrue(`entries ${first} to ${last}`, () => {
    const there = numbers(end, of, name);
    return wanted.every((number) => there.has(number));
  });
  expect(end.batches.filter((batch) => !equalBytes(batch.bytes, bytesOf(batch)))).toEqual([]);
}

/** Numbers of the entries of one log that came, in order of their first coming. */
function numbers(end: End, of: End, { partition, origin }: LogName = usual): Set<number> {
  const result = new Set<number>();
  for (const batch of end.batches) {
    if (batch.region !== of.region || batch.partition !== partition || batch.origin !== origin) continue;
    for (let number = batch.first; number <= batch.last; number++) result.add(number);
  }
  return result;
}

/** What a batch carries, as a function of its name, so that any mix-up shows. */
function bytesOf({ partition, region, origin, first, last }: Omit<LogBatch, 'bytes'>): Uint8Array {
  return new TextEncoder().encode(
    `${region}/${partition}/${origin}: ${first} to ${last} ${'x'.repeat((last - first) * 10)}`,
  );
}

async function two(ends: Ends): Promise<readonly [End, End]> {
  const [a, b] = [await ends.start(1), await ends.start(2)];
  await ends.meet(a, b);
  return [a, b];
}

function logFaults(ends: Ends): NonNullable<Ends['harness']['faults']['log']> {
  const { log } = ends.harness.faults;
  if (log === undefined) throw new Error('a harness of a link with a log has faults of the log');
  return log;
}
