import { describe, expect, it, vi } from 'vitest';
import { StorageFailedError } from '@skerry/replica';
import { GroupCommit, type GroupSize } from './group-commit.ts';
import { decodeKey, encodeBatch, type EncodedBatch } from './record.ts';

class OutOfSpace extends Error {}

/** A disk that keeps what is committed and fails when it is told to. */
class FakeDisk {
  readonly groups: string[][] = [];
  readonly stalls: boolean[] = [];
  free = true;
  fits: (size: GroupSize) => boolean = () => true;
  /** Thrown by the next commits, one each. */
  readonly failures: Error[] = [];
  attempts = 0;
  /** Holds commits up while it is there. */
  hang: Promise<void> | null = null;
  readonly beganMs: number[] = [];
  readonly commits: GroupCommit = new GroupCommit({
    commit: (group) => this.#commit(group),
    isOutOfSpace: (error) => error instanceof OutOfSpace,
    mayFit: (size) => this.free && this.fits(size),
    onStalled: (stalled) => this.stalls.push(stalled),
    limits: { groupBytesMax: 100, retryMsMin: 1, retryMsMax: 4, gatherSubmits: 3, gatherMs: 20 },
  });

  submit(name: string, valueBytes = 4): Promise<void> {
    return this.commits.submit(encodeBatch([{ key: name, value: new Uint8Array(valueBytes) }]));
  }

  get committed(): string[] {
    return this.groups.flat();
  }

  async #commit(group: readonly EncodedBatch[]): Promise<void> {
    this.attempts += 1;
    this.beganMs.push(performance.now());
    const failure = this.failures.shift();
    await this.hang;
    await nextTurn();
    if (failure !== undefined) throw failure;
    this.groups.push(group.flatMap((batch) => batch.keys.map(decodeKey)));
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('GroupCommit', () => {
  it('puts submits of one call stack, and those that came during a commit, into one transaction', async () => {
    const disk = new FakeDisk();
    const first = [disk.submit('a'), disk.submit('b')];
    await nextTurn();
    expect(disk.attempts).toBe(1);
    await Promise.all([...first, disk.submit('c'), disk.submit('d')]);
    expect(disk.groups).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
  });

  it('keeps a transaction below the limit of bytes, but never splits or refuses a submit', async () => {
    const disk = new FakeDisk();
    await Promise.all([
      disk.submit('a', 60),
      disk.submit('b', 60),
      disk.submit('c', 500),
      disk.submit('d', 10),
      disk.submit('e', 10),
    ]);
    expect(disk.groups).toEqual([['a'], ['b'], ['c'], ['d', 'e']]);
  });

  it('lets submits gather after a transaction that took many, and not after one that took few', async () => {
    const disk = new FakeDisk();
    await Promise.all([disk.submit('a'), disk.submit('b')]);
    await disk.submit('c');
    await Promise.all([disk.submit('d'), disk.submit('e'), disk.submit('f')]);
    await Promise.all([disk.submit('g'), nextTurn().then(() => disk.submit('h'))]);
    expect(disk.groups).toEqual([['a', 'b'], ['c'], ['d', 'e', 'f'], ['g', 'h']]);
    const [, , third, fourth] = disk.beganMs as [number, number, number, number];
    expect(fourth - third).toBeGreaterThanOrEqual(19);
  });

  it('never hands over a transaction before the one before it is settled', async () => {
    const disk = new FakeDisk();
    let release = (): void => {};
    disk.hang = new Promise((resolve) => (release = resolve));
    const submits = [disk.submit('a')];
    await nextTurn();
    submits.push(disk.submit('b'));
    for (let i = 0; i < 5; i++) await nextTurn();
    expect(disk.attempts).toBe(1);
    disk.hang = null;
    release();
    await Promise.all(submits);
    expect(disk.committed).toEqual(['a', 'b']);
  });

  it('keeps the order and rejects nothing over a full disk, and tells when it stalls and goes on', async () => {
    const disk = new FakeDisk();
    const resolved: string[] = [];
    disk.failures.push(new OutOfSpace(), new OutOfSpace(), new OutOfSpace());
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(names.map((name) => disk.submit(name).then(() => resolved.push(name))));
    expect(disk.committed).toEqual(names);
    expect(resolved).toEqual(names);
    expect(disk.stalls).toEqual([true, false]);
  });

  it('does not touch the disk while there is no chance, and tries at once when it is told of space', async () => {
    const disk = new FakeDisk();
    disk.free = false;
    const submit = disk.submit('a');
    await vi.waitFor(() => expect(disk.stalls).toEqual([true]));
    const pendingMs = disk.commits.pendingForMs();
    await vi.waitFor(() => expect(disk.commits.pendingForMs()).toBeGreaterThan(pendingMs + 20));
    expect(disk.attempts).toBe(0);
    disk.free = true;
    disk.commits.retryNow();
    await submit;
    expect(disk.attempts).toBe(1);
    expect(disk.commits.pendingForMs()).toBe(0);
  });

  it('goes on submit by submit, without a stall, while one fits and all that wait together do not', async () => {
    const disk = new FakeDisk();
    disk.fits = ({ records }) => records === 1;
    await Promise.all(['a', 'b', 'c'].map((name) => disk.submit(name)));
    expect(disk.groups).toEqual([['a'], ['b'], ['c']]);
    expect(disk.stalls).toEqual([]);
  });

  it('rejects what waits and all that follows with the first failure, and commits no more', async () => {
    const disk = new FakeDisk();
    disk.failures.push(new Error('EIO'));
    const settled = await Promise.allSettled([disk.submit('a'), disk.submit('b', 200), disk.submit('c')]);
    for (const result of settled)
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(StorageFailedError) });
    await expect(disk.submit('d')).rejects.toThrow('EIO');
    await nextTurn();
    expect(disk.attempts).toBe(1);
    expect(disk.committed).toEqual([]);
    await disk.commits.close();
  });

  it('commits what is waiting when it is closed, then refuses', async () => {
    const disk = new FakeDisk();
    const submits = [disk.submit('a'), disk.submit('b', 200)];
    await disk.commits.close();
    await Promise.all(submits);
    expect(disk.committed).toEqual(['a', 'b']);
    await expect(disk.submit('c')).rejects.toBeInstanceOf(StorageFailedError);
  });

  it('does not wait for space when it is closed', async () => {
    const disk = new FakeDisk();
    disk.failures.push(new OutOfSpace());
    disk.free = false;
    const settled = Promise.allSettled([disk.submit('a'), disk.submit('b')]);
    await vi.waitFor(() => expect(disk.stalls).toEqual([true]));
    await disk.commits.close();
    expect((await settled).map((result) => result.status)).toEqual(['rejected', 'rejected']);
    expect(disk.committed).toEqual([]);
  });
});
