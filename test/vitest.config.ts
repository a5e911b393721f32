import { defineConfig } from 'vitest/config';

/** Tests that start threads, processes, servers or browsers, or need a process of their own. */
const REAL = [
  'bench/**/!(turns|strain|measure|statistics)',
  'chaos/*',
  'cli/!(demo-feed|engine-lines|event-line|ordered-sender|recording|row-order|top-view)',
  'client/{engine,examples,refusal}',
  'counters/{ring-wait,stats-board}',
  'docs/!(architecture)',
  'gateway/{listen-failure,topic-tree,uws-advice}',
  'integration/*',
  'lane/full-ring',
  'load/{protocols,run}',
  'log/two-threads',
  'model/*',
  'ring/{doorbell,two-threads}',
  'router/{cold-topics-memory,held-memory}',
  'sizing/command',
  'time/event-loop',
  'topic/topic',
].map((path) => `test/${path}.test.ts`);

// Tests run the compiled package: `#src/…` resolves to `dist/` (see "imports" in package.json), because lanes are
// real worker threads and load the same files that users get.
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    // Against hangs, not for speed: on a busy machine a test takes several times as long.
    testTimeout: 120_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 3,
    reporters: ['default'],
    projects: [
      { extends: true, test: { name: 'real', include: REAL } },
      {
        extends: true,
        test: {
          name: 'pure',
          include: ['test/**/*.test.ts'],
          exclude: REAL,
          isolate: false,
          restoreMocks: true,
          setupFiles: ['test/support/pure.ts'],
        },
      },
    ],
  },
});
