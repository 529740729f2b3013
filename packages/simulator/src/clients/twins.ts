import { randomChance, utf8Encode } from '@skerry/base';
import { checkTwins } from '@skerry/checkers';
import { textOf, type Caller } from './caller.ts';

/**
 * Writes both twins in one transaction, or reads both in one: they are equal for every observer, or a transaction is
 * not atomic. Each twin is also judged as a key of its own.
 */
export function transactTwins(client: Caller): void {
  const { journal, twins, world } = client.load;
  if (twins === null) return;
  const [a, b] = twins;
  if (randomChance(client.random, 0.5)) {
    const value = client.newValue();
    const entries = twins.map((key) =>
      journal.invoke(client.name, { op: 'set', key, value }, { consistent: true, region: world.index }),
    );
    const then = twins.map((key) => ({ kind: 'set' as const, key, value: utf8Encode(value) }));
    client.write(a, { kind: 'txn', compares: [], then, otherwise: [] }, (end) => {
      for (const entry of entries) {
        if (end.kind === 'noEffect') journal.fail(entry);
        if (end.kind !== 'answer' || end.answer.kind !== 'txn') continue;
        entry.label = end.label;
        entry.retried = end.retried;
        const result = end.answer.results.find(({ key }) => key === entry.input.key);
        journal.ok(entry, { outcome: 'applied', version: result?.version ?? undefined });
      }
    });
    return;
  }
  const entries = twins.map((key) =>
    journal.invoke(client.name, { op: 'get', key }, { consistent: true, region: world.index, listed: true }),
  );
  client.write(
    a,
    {
      kind: 'txn',
      compares: [],
      then: [
        { kind: 'get', key: a },
        { kind: 'get', key: b },
      ],
      otherwise: [],
    },
    (end) => {
      if (end.kind !== 'answer' || end.answer.kind !== 'txn') return;
      const values = end.answer.results.map(({ value }) => textOf(value));
      for (const { invariant, message } of checkTwins([{ process: client.name, values }]))
        client.load.onAnomaly(invariant, message);
      for (const [i, entry] of entries.entries()) {
        entry.label = end.label;
        entry.retried = end.retried;
        journal.ok(entry, {
          outcome: 'read',
          value: values[i] ?? null,
          version: end.answer.results[i]?.version ?? undefined,
        });
      }
    },
  );
}
