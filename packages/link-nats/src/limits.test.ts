import { describe, expect, test } from 'vitest';
import { checkLimits, defaultNatsLinkLimits, partBytesOf } from './limits.ts';
import type { NatsConnection } from '@nats-io/transport-node';

describe('the limits of a link', () => {
  test('that it has by default are possible', () => {
    expect(() => checkLimits(defaultNatsLinkLimits)).not.toThrow();
  });

  test.each([{ streamBytesMax: 0 }, { publishWindowMax: 1.5 }, { bytesMax: 10 }, { publishQueueBytesMax: 10 }])(
    'are refused with %j',
    (wrong) => {
      expect(() => checkLimits({ ...defaultNatsLinkLimits, ...wrong })).toThrow();
    },
  );

  test('leave room for headers below what the server takes', () => {
    const on = (payloadBytesMax: number): number =>
      partBytesOf({ info: { max_payload: payloadBytesMax } } as NatsConnection, defaultNatsLinkLimits);
    expect(on(8 * 1024 * 1024)).toBe(defaultNatsLinkLimits.partBytesMax);
    expect(on(10_000)).toBeLessThan(8000);
    expect(on(100)).toBe(1);
  });
});
