import { partitionId, regionId, replicaId } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Names, originHex, token } from './names.ts';

const region = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,10}[A-Za-z0-9])?$/).map(regionId);

describe('a token', () => {
  test.each([
    ['region-1', 'region-1'],
    ['eu.west', 'eu=2ewest'],
    ['a_b', 'a=5fb'],
    ['ä *>', '=c3=a4=20=2a=3e'],
  ])('of %j is %j', (name, expected) => {
    expect(token(name)).toBe(expected);
  });

  test('is one subject token, and no two names share one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        expect(token(a)).toMatch(/^[A-Za-z0-9=-]*$/);
        expect(token(a) === token(b)).toBe(a === b);
      }),
    );
  });
});

describe('names', () => {
  const names = new Names('main');

  test('are the documented ones', () => {
    const place = [regionId('eu.west'), partitionId(3), replicaId(0xabc)] as const;
    expect(names.stream(place[0])).toBe('SKERRY_main_eu=2ewest');
    expect(names.log(...place)).toBe('skerry.main.log.eu=2ewest.3.000000000abc');
    expect(names.logs(place[0])).toBe('skerry.main.log.eu=2ewest.>');
    expect(names.frames(place[0])).toBe('skerry.main.frame.eu=2ewest');
  });

  test('of streams differ where cluster or region differ', () => {
    fc.assert(
      fc.property(fc.string(), region, fc.string(), region, (cluster, one, other, two) => {
        const same = cluster === other && one === two;
        expect(new Names(cluster).stream(one) === new Names(other).stream(two)).toBe(same);
      }),
    );
  });

  test('of one log are taken by the stream of its region only', () => {
    fc.assert(
      fc.property(region, region, fc.nat(65_535), fc.maxSafeNat(), (one, two, partition, n) => {
        const subject = names.log(one, partitionId(partition), replicaId(n % 2 ** 48));
        expect(subject.startsWith(names.logs(two).slice(0, -1))).toBe(one === two);
      }),
    );
  });
});

test('an origin is twelve hex digits', () => {
  expect([replicaId(0), replicaId(255), replicaId(2 ** 48 - 1)].map(originHex)).toEqual([
    '000000000000',
    '0000000000ff',
    'ffffffffffff',
  ]);
});
