import { SkerryError } from '@skerry/client';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CliContext } from '../command.ts';
import { runCli } from '../program.ts';
import { MemoryDatabase } from '../testing/memory-database.ts';
import { testTerminal, type TestTerminal } from '../testing/test-terminal.ts';

type RegionList = Awaited<ReturnType<MemoryDatabase['regions']>>;

const names = ['region-1-1', 'region-1-2', 'region-2-1'];
let nodes: Map<string, MemoryDatabase>;
let states: Record<string, RegionList[number]['state']>;

function node(name: string): MemoryDatabase {
  const db = nodes.get(`ws://${name}`);
  if (db === undefined) throw new Error(`no node ${name}`);
  return db;
}

function everywhere(key: string, value: string): void {
  for (const db of nodes.values()) db.values.set(key, Buffer.from(value));
}

beforeEach(() => {
  nodes = new Map(names.map((name) => [`ws://${name}`, new MemoryDatabase()]));
  states = { 'region-1': 'self', 'region-2': 'up' };
  everywhere('a', '1');
  everywhere('b', '1');
});

const connect: CliContext['connect'] = ([endpoint = ''], _signal, options) => {
  if (options?.only !== true) {
    const regions = Object.entries(states).map(([region, state]): RegionList[number] => ({
      region: region as never,
      state,
      nodes: names
        .filter((name) => name.startsWith(region))
        .map((name) => ({ node: name as never, clientUrl: `ws://${name}`, peerUrl: '', adminUrl: '' })),
      partitions: [],
      clockOffsetMs: 0,
    }));
    return Promise.resolve(new MemoryDatabase({ regions }));
  }
  const db = nodes.get(endpoint);
  return db === undefined ? Promise.reject(new SkerryError({ code: 'NO_ENDPOINT' })) : Promise.resolve(db);
};

async function check(...args: readonly string[]): Promise<TestTerminal & { code: number }> {
  const terminal = testTerminal();
  const code = await runCli(['check', 'convergence', ...args], terminal, connect);
  return Object.assign(terminal, { code });
}

describe('check convergence', () => {
  test('ends with 0 when all nodes of all regions have the same keys, versions and values', async () => {
    const run = await check();
    expect([run.code, run.printed(), run.errors()]).toEqual([0, 'equal: 2 keys on 3 nodes of 2 regions\n', '']);
    expect([...nodes.values()].every(({ closed }) => closed)).toBe(true);
  });

  test('ends with 1 and prints what each node has where they differ, and nothing of what is equal', async () => {
    node('region-2-1').values.set('a', Buffer.from('2'));
    node('region-1-2').values.delete('b');
    node('region-2-1').values.set('c', Buffer.from('3'));
    const run = await check('--timeout', '1', '--limit', '2');
    expect(run.code).toBe(1);
    expect(
      run
        .printed()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['KEY', 'VERSION', 'VALUE', 'NODES'],
      ['a', '1', '1', 'region-1-1, region-1-2'],
      ['a', '1', '2', 'region-2-1'],
      ['b', '1', '1', 'region-1-1, region-2-1'],
      ['b', '-', '(no key)', 'region-1-2'],
      ['3 keys differ: 3 keys on 3 nodes of 2 regions'],
      [''],
    ]);
    expect(JSON.parse((await check('--timeout', '1', '-o', 'json')).printed())).toMatchObject({
      equal: false,
      keys: 3,
      differing: 3,
      missing: [],
      pending: [],
      differingKeys: [
        { key: 'a', values: [{ node: 'region-1-1', value: { value: '1' } }, {}, { value: { value: '2' } }] },
        {},
        {},
      ],
    });
  });

  test('a version alone differs, too', async () => {
    node('region-2-1').versions.set('a', '2');
    expect(await check('--timeout', '1')).toMatchObject({ code: 1 });
  });

  test('waits until they are equal, looking again at what differed only', async () => {
    node('region-2-1').values.set('a', Buffer.from('2'));
    let lists = 0;
    node('region-1-1').onList = () => {
      if (++lists === 3) everywhere('a', '3');
    };
    const run = await check();
    expect([run.code, run.printed()]).toEqual([0, 'equal: 2 keys on 3 nodes of 2 regions\n']);
    expect(lists).toBe(3);
  });

  test('waits for quorum-less writes to be promoted, and says which node holds them', async () => {
    node('region-2-1').pendingCount = 4;
    const late = await check('--timeout', '1');
    expect([late.code, late.errors(), late.printed()]).toEqual([
      1,
      'region-2-1 holds 4 writes that are not promoted\n',
      'not known to be equal: 2 keys on 3 nodes of 2 regions\n',
    ]);
    const { status } = node('region-2-1');
    let asked = 0;
    node('region-2-1').status = () => {
      if (++asked === 2) node('region-2-1').pendingCount = 0;
      return status.call(node('region-2-1'));
    };
    expect(await check()).toMatchObject({ code: 0 });
    // One that was accepted while keys were compared counts as well.
    let later = 0;
    node('region-2-1').status = () => {
      node('region-2-1').pendingCount = later++ % 2 === 0 ? 0 : 1;
      return status.call(node('region-2-1'));
    };
    expect(await check('--timeout', '1')).toMatchObject({ code: 1 });
  });

  test('a node that is away, or goes while it is read, is not equal to the others', async () => {
    const lost = node('region-1-2');
    lost.list = () => Promise.reject(new SkerryError({ code: 'CONNECTION_LOST' }));
    const going = await check('--timeout', '1');
    expect([going.code, going.errors()]).toEqual([
      1,
      expect.stringMatching(/^not compared: region-1-2: CONNECTION_LOST/) as string,
    ]);
    nodes.delete('ws://region-1-2');
    const away = await check('--timeout', '1');
    expect([away.code, away.printed()]).toEqual([1, 'not known to be equal: 2 keys on 2 nodes of 2 regions\n']);
    expect(away.errors()).toMatch(/^not compared: region-1-2: NO_ENDPOINT/);
  });

  test('a region of which no node is known is not equal, one that is evicted does not count', async () => {
    states = { ...states, 'region-3': 'down' };
    const run = await check('--timeout', '1');
    expect([run.code, run.errors()]).toEqual([1, 'not compared: region-3: no node of it is known yet\n']);
    states = { ...states, 'region-3': 'evicted' };
    expect(await check()).toMatchObject({ code: 0 });
    expect((await check()).errors()).toBe('not compared: region-3 is evicted\n');
  });

  test('takes the regions named only', async () => {
    node('region-2-1').values.set('a', Buffer.from('2'));
    expect((await check('--region', 'region-1')).printed()).toBe('equal: 2 keys on 2 nodes of 1 region\n');
    expect((await check('--region', 'region-9', '--timeout', '1')).errors()).toBe(
      'not compared: region-9: there is no such region\n',
    );
    expect(await check('--region', 'region-1', '--all-regions')).toMatchObject({ code: 1 });
  });
});
