import type { Client } from '@skerry/client';
import { Expectations, isOpenAfter, timed, within } from './lib/expect.ts';
import { withRegion, type Region } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import { spread, type Scenario } from './lib/scenario.ts';
import { until } from './lib/until.ts';

/** What "at once" may take at most: a sync and two hops on a busy machine. */
const atOnceMs = 250;
const timeoutMs = 300;
/** For what must come about once the quorum is back. */
const patienceMs = 20_000;

interface Times {
  readonly localReads: number[];
  readonly localWrites: number[];
  /** How long after its time a consistent call that cannot be was answered. */
  readonly late: number[];
  /** From starting the other nodes to the end of the calls that waited for them. */
  readonly waited: number[];
}

interface Case {
  readonly prefix: string;
  readonly survivor: RegionNode;
  /** The survivor is killed and restarted while it is alone. */
  readonly restarts: boolean;
}

export const quorumless: Scenario = {
  name: 'quorumless',
  summary:
    'two of three nodes are killed: what the survivor answers (it led or followed, restarts or not), and what becomes of it',
  trials: 8,
  run: ({ trials, say }) =>
    withRegion({}, async (region) => {
      const times: Times = { localReads: [], localWrites: [], late: [], waited: [] };
      const violations: string[] = [];
      for (let trial = 1; trial <= trials; trial++) {
        const leader = await region.leader();
        const survivor = trial % 2 === 1 ? leader : (region.others(leader)[0] as RegionNode);
        const restarts = trial % 4 > 1;
        const expected = new Expectations();
        await alone(region, { prefix: `t${trial}/`, survivor, restarts }, { times, expected });
        await region.ready();
        await region.settled();
        const who = `${survivor === leader ? 'the leader' : 'a follower'} alone${restarts ? ', killed and restarted' : ''}`;
        violations.push(...expected.problems.map((problem) => `trial ${trial}, ${who}: ${problem}`));
        say(`trial ${trial}, ${who}: ${expected.problems.length} violations`);
      }
      const figures = [
        ...spread('local get', times.localReads, { max: atOnceMs }),
        ...spread('local set', times.localWrites, { max: atOnceMs }),
        ...spread('timed-out call, beyond its time', times.late, { max: atOnceMs }),
        ...spread('from restart of the others to the end of waiting calls', times.waited),
      ];
      return { figures, violations };
    }),
};

async function alone(
  region: Region,
  { prefix, survivor, restarts }: Case,
  { times, expected }: { readonly times: Times; readonly expected: Expectations },
): Promise<void> {
  const db = await region.pinned(survivor);
  await db.set(`${prefix}before`, 'before');
  await db.set(`${prefix}gone`, 'before');
  const others = region.others(survivor);
  await Promise.all(others.map((node) => node.kill()));

  const receipts = await localCalls(db, prefix, { times, expected });
  await impossibleCalls(db, prefix, { times, expected });
  const waiting = [
    db.get(`${prefix}twice`),
    db.set(`${prefix}waits`, 'set'),
    db.swap(`${prefix}swapped`, 'swapped', 'alone'),
    db.swap(`${prefix}before`, 'after', 'before'),
  ] as const;
  expected.holds('a blocking call ended without a quorum', await isOpenAfter(Promise.race(waiting), 700));
  if (restarts) {
    await survivor.kill();
    survivor.start();
    await until('the survivor to be back', () => survivor.isReady('local'), patienceMs);
    expected.equal(
      'a local get after the restart',
      (await db.get(`${prefix}twice`, { consistent: false })).value,
      'two',
    );
  }

  const startMs = performance.now();
  for (const node of others) node.start();
  const [got, set, swapped, after] = await within('the calls that waited', patienceMs, Promise.all(waiting));
  times.waited.push(performance.now() - startMs);
  expected.equal('the get that waited', got.value, 'two');
  expected.equal('the set that waited', set.outcome, 'applied');
  expected.equal('the swap of a quorum-less value', swapped.outcome, 'applied');
  expected.equal('the swap of an older value', after.outcome, 'applied');
  await region.ready();
  await atTheEnd(region, prefix, { receipts, expected });
  await db.close();
}

/** Quorum-less calls work at once; returns their receipts. */
async function localCalls(
  db: Client,
  prefix: string,
  { times, expected }: { readonly times: Times; readonly expected: Expectations },
): Promise<string[]> {
  const read = await timed(() => db.get(`${prefix}before`, { consistent: false }));
  times.localReads.push(read.ms);
  expected.equal('a local get', read.value.value, 'before');
  const receipts: string[] = [];
  const writes = [
    () => db.set(`${prefix}twice`, 'one', { consistent: false }),
    () => db.set(`${prefix}twice`, 'two', { consistent: false }),
    () => db.set(`${prefix}swapped`, 'alone', { consistent: false }),
    () => db.delete(`${prefix}gone`, { consistent: false }),
  ];
  for (const write of writes) {
    const { value, ms } = await timed(write);
    times.localWrites.push(ms);
    expected.holds('a quorum-less write is not valid', value.valid);
    receipts.push(value.receipt ?? '');
    expected.equal('its receipt', (await db.receipt(value.receipt ?? '').state()).state, 'accepted');
  }
  expected.equal('a local get of the own write', (await db.get(`${prefix}twice`, { consistent: false })).value, 'two');
  expected.equal('a local get of the own delete', (await db.get(`${prefix}gone`, { consistent: false })).value, null);
  return receipts;
}

/** Consistent calls that do not block end as timed out, and not applied. */
async function impossibleCalls(
  db: Client,
  prefix: string,
  { times, expected }: { readonly times: Times; readonly expected: Expectations },
): Promise<void> {
  const hasty = { blocking: false, timeoutMs } as const;
  const calls = await Promise.all([
    timed(() => db.get(`${prefix}before`, hasty)),
    timed(() => db.set(`${prefix}never`, 'never', hasty)),
    timed(() => db.swap(`${prefix}before`, 'never', 'before', hasty)),
    timed(() => db.delete(`${prefix}before`, hasty)),
  ]);
  for (const [index, { value, ms }] of calls.entries()) {
    const what = ['get', 'set', 'swap', 'delete'][index] ?? '';
    times.late.push(Math.max(0, ms - timeoutMs));
    expected.equal(`the time of a ${what} without a quorum`, value.timeout, true);
    expected.equal(
      `the outcome of a ${what} without a quorum`,
      value.outcome,
      what === 'get' ? undefined : 'notApplied',
    );
  }
}

async function atTheEnd(
  region: Region,
  prefix: string,
  { receipts, expected }: { readonly receipts: readonly string[]; readonly expected: Expectations },
): Promise<void> {
  const wanted = { before: 'after', twice: 'two', waits: 'set', swapped: 'swapped', never: null, gone: null };
  for (const node of region.nodes) {
    const db = await region.pinned(node);
    for (const [key, value] of Object.entries(wanted)) {
      const found = await within(`a consistent get at ${node.name}`, patienceMs, db.get(prefix + key));
      expected.equal(`${key} at ${node.name}`, found.value, value);
    }
    for (const text of receipts) {
      const { state } = await within(`a receipt at ${node.name}`, patienceMs, db.receipt(text).wait());
      expected.equal(`a receipt at ${node.name}`, state, 'promoted');
    }
    await db.close();
  }
}
