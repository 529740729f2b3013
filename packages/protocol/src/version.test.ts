import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { protocolVersion } from './messages.ts';
import { clientMessageSchema, jsonSchemaOf, serverMessageSchema } from './schemas.ts';
import { describeLayouts } from './testing/describe.ts';

/**
 * The messages and their layout, by version of the protocol. When this fails: raise `protocolVersion`, add a line here,
 * and say in CHANGELOG and docs/protocol.md what changed. The hash of a version that was not released yet may change.
 */
const released: Readonly<Record<number, string>> = {
  1: '7c549400fe30773723092cde68dc5549',
  2: '9c8ea9e506ff104bbc68d143e7092a36',
};

it('changes only with a new protocol version', () => {
  const shape = JSON.stringify([
    jsonSchemaOf(clientMessageSchema),
    jsonSchemaOf(serverMessageSchema),
    describeLayouts(),
  ]);
  const hash = createHash('sha256').update(shape).digest('hex').slice(0, 32);
  expect(hash).toBe(released[protocolVersion]);
});

it('is what docs/protocol.md says', () => {
  const page = new URL('../../../docs/protocol.md', import.meta.url);
  const marker = /(<!-- made from packages\/protocol\/src\/layouts\.ts -->\n)[^]*(<!-- end -->)/;
  const text = readFileSync(page, 'utf8');
  const made = text.replace(marker, (_, start: string, end: string) => `${start}\n${describeLayouts()}\n${end}`);
  if (process.env['SKERRY_WRITE_DOCS'] === '1') writeFileSync(page, made);
  expect(text).toMatch(marker);
  expect(readFileSync(page, 'utf8')).toBe(made);
  expect(text).toContain(`Version ${protocolVersion}.`);
});
