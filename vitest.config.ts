import { defineConfig } from 'vitest/config';

const shared = {
  resolve: { conditions: ['skerry:source'] },
  ssr: { resolve: { conditions: ['skerry:source', 'node', 'import', 'module', 'default'] } },
};

/** Tests run on the sources: the private export condition `skerry:source` points every package at its `src`. */
export default defineConfig({
  ...shared,
  test: {
    projects: [
      {
        ...shared,
        test: { name: 'unit', include: ['packages/*/src/**/*.test.ts', 'test/tidy/**/*.test.ts'], retry: 0 },
      },
      {
        ...shared,
        test: { name: 'integration', include: ['test/integration/**/*.test.ts'], retry: 0, testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
      },
    ],
  },
});
