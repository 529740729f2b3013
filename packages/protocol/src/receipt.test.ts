import { expect, it } from 'vitest';
import { parseReceipt } from './receipt.ts';

const good = 'region-1:3:0000000000ff-77';

it('a receipt names its write', () => {
  expect(parseReceipt(good)).toEqual({ region: 'region-1', partition: 3, dot: { replica: 255, sequence: 77 } });
});

it('anything else is no receipt', () => {
  for (const text of [
    '',
    'region-1',
    `${good}:1`,
    good.replace('77', '0'),
    good.replace('77', '9'.repeat(16)),
    good.replace('ff', 'FF'),
    good.replace('00ff', 'ff'),
    good.replace('region-1', '-'),
  ]) {
    expect(parseReceipt(text), text).toBeNull();
  }
});
