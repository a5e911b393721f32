// Ring wait: the window since the last look, also when another thread records.

import { once } from 'node:events';
import { createHistogram } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { RingWait } from '#src/counters/ring-wait.js';

const waits = () => createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });

describe('ring wait', () => {
  it('tells percentiles and the longest wait in milliseconds', () => {
    const histogram = waits();
    for (let us = 1; us <= 1000; us++) histogram.record(us);
    expect(new RingWait(histogram).take()).toEqual({ p50: 0.5, p99: 0.99, max: 1 });
  });

  it('is zero without messages, and forgets what it has told', () => {
    const histogram = waits();
    const ringWait = new RingWait(histogram);
    expect(ringWait.take()).toEqual({ p50: 0, p99: 0, max: 0 });
    histogram.record(5000);
    expect(ringWait.take().max).toBeGreaterThanOrEqual(5);
    histogram.record(20);
    expect(ringWait.take()).toEqual({ p50: 0.02, p99: 0.02, max: 0.02 });
  });

  it('sees what another thread recorded', async () => {
    const histogram = waits();
    const code = `const { workerData, parentPort } = require('node:worker_threads');
      for (const us of [100, 200, 300]) workerData.record(us);
      parentPort.postMessage('done');`;
    const worker = new Worker(code, { eval: true, workerData: histogram });
    await once(worker, 'message');
    expect(new RingWait(histogram).take()).toMatchObject({ p50: 0.2, max: 0.3 });
    await worker.terminate();
  });
});
