import { describe, expect, it } from 'vitest';
import { faultTable } from '../faults/lib/fault-table.ts';
import { scenarios } from '../faults/scenarios.ts';
import { readSource } from './source.ts';

const rows = new Map(
  [...readSource('test/faults/README.md').text.matchAll(/^\| (F\d+) \| (.*) \|$/gm)].map(([, row = '', rest = '']) => {
    const named = [...(rest.split(' | ')[1] ?? '').matchAll(/`([\w-]+)` \((\d+)\)/g)];
    return [row, named.map(([, name = '', trials]) => ({ name, trials: Number(trials) }))] as const;
  }),
);

describe('the table of faults', () => {
  it('has the rows F1 to F15', () => {
    const all = Array.from({ length: 15 }, (_, index) => `F${index + 1}`);
    expect(Object.keys(faultTable)).toEqual(all);
    expect([...rows.keys()]).toEqual(all);
  });

  it.each(Object.entries(faultTable))(
    '%s: README and code name the same scenarios, with their trials',
    (row, names) => {
      expect(rows.get(row)?.map(({ name }) => name)).toEqual(names);
      for (const { name, trials } of rows.get(row) ?? [])
        expect([name, scenarios.find((scenario) => scenario.name === name)?.trials]).toEqual([name, trials]);
    },
  );

  it('makes every fault happen five times at least, power cuts twenty and kills fifty times', () => {
    const least: Readonly<Record<string, number>> = { F1: 50, F5: 20 };
    for (const [row, named] of rows) {
      const most = Math.max(...named.map(({ trials }) => trials));
      expect([row, most >= (least[row] ?? 5)]).toEqual([row, true]);
    }
  });

  it('names each scenario once', () => {
    const names = scenarios.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
  });
});
