import { defineConfig } from 'vitest/config';

const shared = {
  resolve: { conditions: ['skerry:source'] },
  ssr: { resolve: { conditions: ['skerry:source', 'node', 'import', 'module', 'default'] } },
};

const common = { retry: 0, setupFiles: ['./test/setup/no-stray-output.ts'] };

/** Real processes and disks: one file at a time, with time to start and stop them. */
const processes = { ...common, fileParallelism: false, testTimeout: 60_000, hookTimeout: 60_000 };

/** Tests run on the sources: the private export condition `skerry:source` points every package at its `src`. */
export default defineConfig({
  ...shared,
  test: {
    projects: [
      {
        ...shared,
        test: {
          ...common,
          name: 'unit',
          testTimeout: 30_000,
          include: ['packages/*/src/**/*.test.ts', 'test/{tidy,faults,bench,planted,fuzz}/**/*.test.ts'],
        },
      },
      {
        ...shared,
        test: { ...processes, name: 'integration', include: ['test/integration/**/*.test.ts'] },
      },
    ],
  },
});
