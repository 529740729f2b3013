import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeServerFrame, encodeFrame } from './codec.ts';
import { errorCodes, errorEntry, isErrorCode, ProtocolError } from './errors.ts';
import { describeErrors } from './testing/describe.ts';

const page = new URL('../../../docs/errors.md', import.meta.url);

describe('the table of errors', () => {
  it('is what docs/errors.md says', () => {
    if (process.env['SKERRY_WRITE_DOCS'] === '1') writeFileSync(page, describeErrors());
    expect(readFileSync(page, 'utf8')).toBe(describeErrors());
  });

  it('passes the codec with every code', () => {
    for (const code of errorCodes) {
      const message = {
        kind: 'answer' as const,
        requestId: 1,
        answer: { kind: 'error' as const, code, detail: 'why' },
      };
      expect(decodeServerFrame(encodeFrame([message]))).toEqual([message]);
    }
  });

  it('does not take a code that is not in it', () => {
    expect(isErrorCode('toString')).toBe(false);
    const unknown = { kind: 'goodbye' as const, code: 'NO_SUCH_CODE' as never, detail: '' };
    expect(() => decodeServerFrame(encodeFrame([unknown]))).toThrow(ProtocolError);
  });

  it('gives every code a sentence and a status of an HTTP error', () => {
    for (const code of errorCodes) {
      const { text, httpStatus } = errorEntry(code);
      expect(text).toMatch(/^[A-Z].*\.$/);
      expect(httpStatus).toBeGreaterThanOrEqual(400);
      expect(httpStatus).toBeLessThan(600);
    }
  });

  it('calls indefinite whatever may come after the request was executed', () => {
    for (const code of [
      'CONNECTION_LOST',
      'TIMEOUT',
      'ABORTED',
      'CLOSED',
      'STOPPING',
      'SEQUENCE_ANSWERED',
      'SLOW_CONSUMER',
    ] as const) {
      expect(errorEntry(code).definite).toBe(false);
    }
  });
});
