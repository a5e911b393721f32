// Cold topics that come from a lane: what their subscribers have had no time to get is kept, however old it is.

import { describe, expect, it } from 'vitest';
import { DirectLink } from '#src/home/direct-link.js';
import type { OutgoingMessage } from '#src/home/link.js';
import { SharedLog } from '#src/log/shared-log.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import { encode } from '#src/protocol/msgpack.js';
import { Topic, type TopicSpec } from '#src/topic/topic.js';
import { JSON_STREAM } from '#src/variant/stream-spec.js';
import { FakeScheduler } from '../support/fake-scheduler.js';
import { outgoing } from '../support/outgoing.js';
import { jsonLogOf, logsWith } from '../topic/topic-home.js';

const RETAIN_MS = 2000;
const RETENTION = { ms: RETAIN_MS, messages: 0, bytes: 0 };
const HISTORY = 10;
const MESSAGES = 50;
const NOW_MS = 1_800_000_000_000;
const SIZES = { dataBytes: 16 * 1024, frames: 256 };
const SPEC: TopicSpec = {
  alias: 7,
  topic: 't',
  epoch: 'e',
  historyMessages: HISTORY,
  historyBytes: 16 * 1024,
};

function newLink(): DirectLink {
  const sizes = { dataMaxBytes: SIZES.dataBytes, framesMax: SIZES.frames, logsMaxBytes: 2 ** 20 };
  return new DirectLink({ ...sizes, retention: RETENTION }, new FakeScheduler(), () => {});
}

function message(monotonicMs: number): OutgoingMessage {
  return outgoing(encode('x'), { monotonicMs });
}

/** A topic whose messages were accepted a minute ago, because its lane was dead since, in both dialects. */
function fromLane() {
  const log = new SharedLog(allocateSharedLog(SIZES, 1));
  const jsonLog = new SharedLog(allocateSharedLog(SIZES, 1));
  const topic = new Topic(SPEC, log);
  topic.openStream(JSON_STREAM, jsonLog);
  for (let n = 0; n < MESSAGES; n++) topic.publish(message(NOW_MS - 60_000), 0);
  return logsWith(log, jsonLog);
}

describe('a cold topic that came from a lane', () => {
  it('keeps old messages while newer ones follow at once, and for the time that lagging subscribers have', () => {
    const link = newLink();
    const logs = link.adoptTopic(SPEC, fromLane());
    const [log, jsonLog] = [logs.log, jsonLogOf(logs)];
    // What was held on its way, over half a minute, is handed on.
    for (let n = 0; n < MESSAGES; n++) link.publish(SPEC.alias, message(NOW_MS - 30_000 + n * 500));
    const tails = (): (number | undefined)[] => [log.tailSeq, jsonLog?.tailSeq];
    expect(tails()).toEqual([1, 1]);
    link.trim(NOW_MS);
    link.trim(NOW_MS + RETAIN_MS - 1);
    expect(tails()).toEqual([1, 1]);
    expect(log.headSeq).toBe(2 * MESSAGES);
  });

  it('then keeps what every cold topic keeps', () => {
    const link = newLink();
    const logs = link.adoptTopic(SPEC, fromLane());
    const [log, jsonLog] = [logs.log, jsonLogOf(logs)];
    link.trim(NOW_MS);
    link.trim(NOW_MS + RETAIN_MS);
    expect([log.tailSeq, jsonLog?.tailSeq]).toEqual([MESSAGES - HISTORY + 1, MESSAGES - HISTORY + 1]);
    const other = newLink();
    const { log: reference } = other.adoptTopic(SPEC, fromLane());
    other.trim(NOW_MS);
    other.trim(NOW_MS + RETAIN_MS);
    expect(link.logBytes).toBe(other.logBytes);
    expect(reference.tailSeq).toBe(log.tailSeq);
  });

  it('may leave or end before that', () => {
    const link = newLink();
    const emptyBytes = link.logBytes;
    link.adoptTopic(SPEC, fromLane());
    link.trim(NOW_MS);
    link.closeTopic(SPEC.alias);
    link.trim(NOW_MS + RETAIN_MS);
    expect([link.logBytes, link.topicCount]).toEqual([emptyBytes, 0]);
    link.adoptTopic(SPEC, fromLane());
    link.leaveTopic(SPEC.alias, (logs) => {
      logs.log.dispose();
      jsonLogOf(logs)?.dispose();
    });
    link.trim(NOW_MS + 3 * RETAIN_MS);
    expect([link.logBytes, link.topicCount]).toEqual([emptyBytes, 0]);
  });
});

describe('retention', () => {
  // 100 messages of 23 bytes, a second apart; nothing of it is history.
  it.each<[string, Partial<TopicSpec>, number]>([
    ['as the home says', {}, 2],
    ['for a time', { retention: { ms: 30_000, messages: 0, bytes: 0 } }, 30],
    ['of no time, but what the smallest log holds anyway', { retention: { ms: 0, messages: 0, bytes: 0 } }, 1],
    ['for a time, so many at most', { retention: { ms: 30_000, messages: 7, bytes: 0 } }, 7],
    ['for a time, so many bytes at most', { retention: { ms: 30_000, messages: 0, bytes: 5 * 23 + 10 } }, 5],
    [
      'and history, whichever is more',
      { retention: { ms: 5000, messages: 0, bytes: 0 }, historyMessages: 9, historyBytes: 4096 },
      9,
    ],
  ])('is a topic’s own: %s', (_, retention, kept) => {
    const link = newLink();
    const spec: TopicSpec = { ...SPEC, historyMessages: 0, ...retention };
    const log = link.openTopic(spec);
    for (let n = 0; n < 100; n++) link.publish(spec.alias, message(NOW_MS + n * 1000));
    link.trim(NOW_MS + 99_000);
    expect(log.retainedFrames).toBe(kept);
  });
});
