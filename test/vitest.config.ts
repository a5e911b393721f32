import { defineConfig } from 'vitest/config';

/** Tests of these folders start no thread, no process and no server, and leave nothing behind: they share processes. */
const SHARED = ['config', 'delivery', 'protocol'].map((folder) => `test/${folder}/**/*.test.ts`);

// Tests run the compiled package: `#src/…` resolves to `dist/` (see "imports" in package.json), because lanes are
// real worker threads and load the same files that users get.
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 3,
    reporters: ['default'],
    projects: [
      { extends: true, test: { name: 'alone', include: ['test/**/*.test.ts'], exclude: SHARED } },
      { extends: true, test: { name: 'shared', include: SHARED, isolate: false } },
    ],
  },
});
