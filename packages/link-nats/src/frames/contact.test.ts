import { describe, expect, test } from 'vitest';
import { parsePong } from './contact.ts';

describe('the answer to a ping', () => {
  test('names the node and its JetStream domain', () => {
    expect(parsePong('{"node":"skerry.c.node.eu=2ewest.ab12","name":"n1","domain":"hub"}')).toEqual({
      node: 'skerry.c.node.eu=2ewest.ab12',
      name: 'n1',
      domain: 'hub',
    });
    expect(parsePong('{"node":"a","domain":null}')?.domain).toBeNull();
    expect(parsePong('{"node":"a","domain":""}')?.domain).toBeNull();
  });

  test.each(['', 'null', '{}', '{"node":1}', '{"node":"a b"}', '{"node":"a.>"}', '{"node":"*"}'])(
    'is not %j',
    (text) => {
      expect(parsePong(text)).toBeNull();
    },
  );
});
