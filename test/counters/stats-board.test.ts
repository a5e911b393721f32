// The stats board: what is written is read, within its limits, and whole while another thread writes on.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { memoryBound, parseConfig } from '#src/config.js';
import {
  allocateStatsBoard,
  BOARD_CONSUMERS_MAX,
  BOARD_TOPICS_MAX,
  StatsBoardReader,
  StatsBoardWriter,
} from '#src/counters/stats-board.js';
import { countsOf, makeReport } from './reports.mjs';

const SNAPSHOT_HEAD_BYTES = 128;

function board() {
  const memory = allocateStatsBoard();
  return { writer: new StatsBoardWriter(memory), reader: new StatsBoardReader(memory) };
}

describe('stats board', () => {
  it('takes what the bound of the engine says, and a head', () => {
    const { rows } = memoryBound(parseConfig());
    expect(allocateStatsBoard().byteLength - SNAPSHOT_HEAD_BYTES).toBe(
      rows.find(({ owner }) => owner === 'figures')?.bytes,
    );
  });

  it('has nothing to read before the first report', () => {
    expect(board().reader.read()).toBeNull();
  });

  it('hands out every report as it was written, again and again until the next one', () => {
    const { writer, reader } = board();
    for (let number = 1; number <= 40; number++) {
      const report = makeReport(number, countsOf(number));
      writer.write(report);
      expect(reader.read()).toEqual(report);
      expect(reader.read()).toEqual(report);
    }
  });

  it('holds a report with every limit reached and the longest names, and cuts off what is beyond', () => {
    const { writer, reader } = board();
    const full = makeReport(7, { lanes: 64, topics: BOARD_TOPICS_MAX + 5, slowest: BOARD_CONSUMERS_MAX + 5 });
    const longest = `${'ä'.repeat(127)}x`;
    const report = {
      ...full,
      topics: full.topics.map((topic) => ({ ...topic, topic: longest })),
      slowest: full.slowest.map((consumer) => ({ ...consumer, topic: longest, clientId: 'c'.repeat(128) })),
    };
    writer.write(report);
    expect(reader.read()).toEqual({
      ...report,
      topics: report.topics.slice(0, BOARD_TOPICS_MAX),
      slowest: report.slowest.slice(0, BOARD_CONSUMERS_MAX),
    });
  });

  it('never hands out a mixture of two reports while another thread writes', async () => {
    const memory = allocateStatsBoard();
    const stopped = new SharedArrayBuffer(4);
    const distinct = 50;
    const worker = new Worker(new URL('./stats-board-writer.mjs', import.meta.url), {
      workerData: { memory, stopped, distinct },
    });
    const failed = once(worker, 'error').then(([error]) => Promise.reject(error));
    failed.catch(() => {});
    const ended = once(worker, 'message') as Promise<[number]>;
    const expected = Array.from({ length: distinct }, (_, index) => makeReport(index + 1, countsOf(index + 1)));
    const reader = new StatsBoardReader(memory);
    const seen = new Set<number>();
    let reads = 0;
    try {
      // Until every report was seen, and often enough that the writer has come into the middle of many copies.
      while (seen.size < distinct || reads < 3000) {
        const report = reader.read();
        if (report !== null) {
          if (JSON.stringify(report) !== JSON.stringify(expected[report.time - 1])) {
            expect(report).toEqual(expected[report.time - 1]);
          }
          seen.add(report.time);
          reads++;
        }
        if (report === null || reads % 100 === 0) {
          await Promise.race([new Promise((resolve) => setImmediate(resolve)), failed]);
        }
      }
      Atomics.store(new Int32Array(stopped), 0, 1);
      const [written] = await ended;
      expect(written).toBeGreaterThan(distinct);
    } finally {
      await worker.terminate();
    }
  });
});
