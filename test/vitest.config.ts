import { defineConfig } from 'vitest/config';

// Tests run the compiled package: `#src/…` resolves to `dist/` (see "imports" in package.json), because lanes are
// real worker threads and load the same files that users get.
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 3,
    reporters: ['default'],
  },
});
