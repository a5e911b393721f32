// A JSON stream beside a canonical log that has the message already: whatever cannot be made or held is announced as missed,
// and nothing that stands in for it can fail.

import { describe, expect, it } from 'vitest';
import type { FrameLog } from '#src/log/frame-log.js';
import { LogBudget } from '#src/log/log-budget.js';
import { PlainLog } from '#src/log/plain-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import { encode } from '#src/protocol/msgpack.js';
import { Topic } from '#src/topic/topic.js';
import { JSON_STREAM } from '#src/variant/stream-spec.js';
import { outgoing } from '../support/outgoing.js';

const NAME = 'n'.repeat(250);
const SPEC = { alias: 7, topic: NAME, epoch: 'e', historyMessages: 100, historyBytes: 2 ** 20 };

function topicWith(log: FrameLog): { publish: (value: unknown) => void; topic: Topic } {
  const topic = new Topic(SPEC, log);
  const publish = (value: unknown): void => {
    topic.publish(outgoing(encode(value), { timeMs: 1000, monotonicMs: 1000 }), 0);
  };
  return { publish, topic };
}

function logOf(dataBytes: number, budget: LogBudget): FrameLog {
  return new PlainLog({ dataBytes, frames: 64, retainMs: 1e9, historyMessages: 100, historyBytes: 2 ** 20, budget });
}

/** Seqs of the frames that a JSON log has, with their types. */
function jsonOf(log: FrameLog): string[] {
  log.refresh();
  return Array.from({ length: log.retainedFrames }, (_, index) => {
    const seq = log.tailSeq + index;
    const bytes = new Uint8Array(log.sliceBytes(seq, seq + 1));
    log.copy(seq, seq + 1, bytes, 0);
    const frame = JSON.parse(new TextDecoder().decode(bytes)) as { type: string; reason?: string };
    return `${seq} ${frame.type} ${frame.reason ?? ''}`.trim();
  });
}

describe('a JSON stream', () => {
  it('announces what its log cannot hold', () => {
    const { publish, topic } = topicWith(logOf(2 ** 14, new LogBudget(2 ** 20)));
    const jsonLog = logOf(2 ** 12, new LogBudget(2 ** 20));
    topic.openStream(JSON_STREAM, jsonLog);
    for (const value of ['a', 'x'.repeat(5000), 'b']) publish(value);
    expect(jsonOf(jsonLog)).toEqual(['1 event', '2 gap too_large', '3 event']);
  });

  it('laps its readers where not even the announcement fits, and goes on behind it', () => {
    // A log that may not grow beyond 256 bytes, which an announcement with this name exceeds.
    for (const jsonLog of [
      logOf(2 ** 12, new LogBudget(0)),
      new SharedLog(allocateSharedLog({ dataBytes: 256, frames: 8 }, 1)),
    ]) {
      const { publish, topic } = topicWith(logOf(2 ** 14, new LogBudget(2 ** 20)));
      topic.openStream(JSON_STREAM, jsonLog);
      for (let seq = 1; seq <= 20; seq++) {
        publish('x'.repeat(150));
        expect([jsonLog.tailSeq, jsonLog.headSeq], 'every reader of a lower seq is told by delivery').toEqual([
          seq + 1,
          seq,
        ]);
      }
    }
  });

  it('does so also while it is given the history', () => {
    const { publish, topic } = topicWith(logOf(2 ** 14, new LogBudget(2 ** 20)));
    for (let seq = 1; seq <= 5; seq++) publish('x'.repeat(150));
    const jsonLog = logOf(2 ** 12, new LogBudget(0));
    topic.openStream(JSON_STREAM, jsonLog);
    expect([jsonLog.tailSeq, jsonLog.headSeq]).toEqual([6, 5]);
  });
});

describe('attempts at a message', () => {
  it('are counted by whoever goes on with the memory, per message, and forgotten once it is there', () => {
    const memory = allocateSharedLog({ dataBytes: 4096, frames: 8 }, 1);
    const successor = (): FrameLog => new SharedLog(memory);
    const append = (log: FrameLog): void => {
      log.begin(1, 0, 0, 0);
      log.write(new Uint8Array(1), 0, 1);
      log.commit(log.headSeq + 1);
    };
    for (let seq = 1; seq <= 30; seq++) {
      const deaths = seq % 10;
      const seen = Array.from({ length: deaths + 1 }, () => successor().noteAttempt(seq));
      expect(seen, `message ${seq}`).toEqual(seen.map((_, index) => Math.min(index, 7)));
      append(successor());
    }
  });
});
