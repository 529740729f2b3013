import { describe, expect, it } from 'vitest';
import { httpSwapBodySchema } from './http.ts';
import { openApiDocument } from './openapi.ts';

describe('the OpenAPI document', () => {
  const document = openApiDocument({ version: '1.2.3' });
  const text = JSON.stringify(document);

  it('refers only to schemas that it holds', () => {
    const { schemas } = document['components'] as { schemas: Record<string, unknown> };
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
      (match) => match[1] as string,
    );
    expect(references.length).toBeGreaterThan(10);
    expect(references.filter((name) => !(name in schemas))).toEqual([]);
  });

  it('gives every operation a name of its own and a problem as its error', () => {
    const names = [...text.matchAll(/"operationId":"([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(names).size).toBe(names.length);
    expect([...text.matchAll(/application\/problem\+json/g)].length).toBe(names.length);
  });

  it('describes bodies as the schemas check them', () => {
    const { schemas } = document['components'] as {
      schemas: Record<string, { additionalProperties: boolean; required: string[] }>;
    };
    expect(schemas['SwapBody']).toMatchObject({ additionalProperties: false, required: ['newValue', 'oldValue'] });
    expect(httpSwapBodySchema.safeParse({ newValue: 'a', oldValue: null, more: 1 }).success).toBe(false);
  });
});
