import { connect, type Response } from '@skerry/client';
import type { Session } from './session.ts';

export async function skerrySession(endpoints: readonly string[]): Promise<Session> {
  const db = await connect({ endpoints });
  return {
    set: async (key, value) => applied(await db.set(key, value)),
    get: async (key) => ({ value: answered(await db.get(key)).value }),
    weakSet: async (key, value) => applied(await db.set(key, value, { consistent: false })),
    localGet: async (key) => answered(await db.get(key, { consistent: false })),
    swap: async (key, value, read) => {
      const answer = await db.swap(key, value, read.value);
      if (answer.outcome === 'applied') return { done: true, read: { value } };
      if (answer.outcome !== 'refused') throw new Error(`a swap ended as ${answer.outcome}`);
      return { done: false, read: { value: answer.value } };
    },
    add: async (key) => applied(await db.counter(key).add(1)),
    fill: async (entries) => {
      const sets = entries.map(([key, value]) => ({ set: key, value }));
      await db
        .txn()
        .then(...sets)
        .commit();
    },
    close: () => db.close(),
  };
}

function applied<T extends Pick<Response, 'outcome' | 'valid'>>(answer: T): T {
  if (!answer.valid) throw new Error(`a write ended as ${answer.outcome}`);
  return answer;
}

function answered<T extends Pick<Response, 'valid'>>(answer: T): T {
  if (!answer.valid) throw new Error('a read was not answered');
  return answer;
}
