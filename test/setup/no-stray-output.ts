import { afterAll, afterEach } from 'vitest';

/**
 * Whatever a test lets through to the console fails it: output that nobody asked for is either noise or a warning
 * that nobody reads. A test that expects output replaces the console itself (`vi.spyOn`).
 */
const methods = ['log', 'info', 'warn', 'error', 'debug'] as const;
const strays: string[] = [];

for (const method of methods) {
  console[method] = (...values: unknown[]) => {
    strays.push(`console.${method}: ${values.map(String).join(' ')}`);
  };
}

function failOnStrays(): void {
  if (strays.length === 0) return;
  const text = strays.splice(0).join('\n');
  throw new Error(`stray console output:\n${text}`);
}

afterEach(failOnStrays);
afterAll(failOnStrays);
