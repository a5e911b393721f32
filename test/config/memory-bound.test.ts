// The worst-case memory: a sum, whose every term grows with the keys that its formula names.

import { describe, expect, it } from 'vitest';
import { LANE_FIGURES_BYTES_PER_TOPIC } from '#src/config/memory-bound.js';
import { type EngineConfig, memoryBound, parseConfig } from '#src/config.js';
import { allocateTopicBusy } from '#src/counters/topic-busy.js';
import { heldBackMaxBytes } from '#src/gateway/intake.js';
import { allocateLaneRings } from '#src/lane/lane.js';
import { SharedLogs } from '#src/lane/shared-logs.js';
import { HELD_IN_MOVE_MAX_BYTES } from '#src/limits.js';
import { SharedLog } from '#src/log/shared-log.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import { RING_HEAD_BYTES } from '#src/ring/layout.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Round numbers, so that the terms can be told by eye. */
const base: EngineConfig = {
  ...parseConfig({ lanes: 2, maxPayloadBytes: '64KiB', historyBytes: '64KiB' }),
  maxTopics: 1000,
  maxHotTopics: 10,
  maxConnections: 100,
  maxSubscriptionsPerConnection: 10,
  coldLogMaxFrames: 16_384,
  topics: topicsOf(
    { match: 'a', keyed: true, maxKeys: 4000 },
    { match: 'b', dedupWindow: { messages: 1000, ms: 1000 } },
  ),
};

function topicsOf(...rules: object[]): EngineConfig['topics'] {
  return parseConfig({ topics: rules }).topics;
}

function bytesOf(owner: string, changes: Partial<EngineConfig> = {}): number {
  const { rows, connectionRows } = memoryBound({ ...base, ...changes });
  const row = [...rows, ...connectionRows].find((candidate) => candidate.owner === owner);
  if (row === undefined) throw new Error(`no row for ${owner}`);
  return row.bytes;
}

describe('memoryBound', () => {
  it('is the sums of its rows', () => {
    const { rows, totalBytes, connectionRows, connectionBytes } = memoryBound(base);
    expect(totalBytes).toBe(rows.reduce((sum, row) => sum + row.bytes, 0));
    expect(connectionBytes).toBe(connectionRows.reduce((sum, row) => sum + row.bytes, 0));
    expect(new Set([...rows, ...connectionRows].map((row) => row.owner)).size).toBe(
      rows.length + connectionRows.length,
    );
    expect(Number.isSafeInteger(memoryBound(parseConfig()).totalBytes)).toBe(true);
  });

  it('has one term per owner, of the size its formula says', () => {
    expect(bytesOf('lane request rings')).toBe(2 * 4 * MIB);
    expect(bytesOf('lane event rings')).toBe(2 * 4 * MIB);
    expect(bytesOf('lane heaps')).toBe(2 * 128 * MIB);
    expect(bytesOf('topics')).toBe(1000 * (640 + 2 * 416));
    expect(bytesOf('lane event rings', { ringBytes: 8 * KIB })).toBe(2 * 128 * KIB);
    expect(bytesOf('lane figures')).toBe(2 * (64 * KIB + 10 * 8));
    expect(bytesOf('slices')).toBe((2 * 10 + 16 * KIB) * 15 * KIB);
    expect(bytesOf('unread answers')).toBe(64 * MIB + 11 * MIB);
    expect(bytesOf('received, not handled')).toBe(64 * MIB);
    expect(bytesOf('received, not handled', { maxPayloadBytes: 64 * MIB })).toBe(256 * MIB);
    expect(bytesOf('publisher grants')).toBe(10 * 512);
    expect(bytesOf('hot logs')).toBe(10 * (4 * MIB + 16_384 * 40 + 384));
    expect(bytesOf('hot JSON streams')).toBe(bytesOf('hot logs'));
    expect(bytesOf('spare hot logs')).toBe(8 * (4 * MIB + 16_384 * 40 + 384));
    expect(bytesOf('messages held in moves')).toBe(10 * (MIB + 64 * KIB));
    expect(bytesOf('cold logs')).toBe(1024 * MIB);
    expect(bytesOf('connection')).toBe(4 * KIB);
    expect(bytesOf('unsent')).toBe(64 * KIB + 11 * 64 * KIB);
    expect(bytesOf('half received')).toBe(2 * 64 * KIB);
    expect(bytesOf('subscriptions')).toBe(10 * 192);
  });

  it.each<[string, (keyof EngineConfig)[]]>([
    ['process', []],
    ['lane heaps', ['lanes', 'laneHeapBytes']],
    ['lane request rings', ['lanes', 'ringBytes']],
    ['lane event rings', ['lanes', 'ringBytes']],
    ['lane figures', ['lanes', 'maxHotTopics']],
    ['slices', ['maxHotTopics', 'coldLogsMaxBytes']],
    ['unread answers', []],
    ['received, not handled', []],
    ['publisher grants', ['maxSubscriptionsPerConnection']],
    ['topics', ['maxTopics']],
    ['durable subscriptions', ['maxDurables', 'maxUnacked']],
    ['hot logs', ['maxHotTopics', 'hotLogBytes', 'hotLogFrames', 'coldLogMaxBytes', 'coldLogMaxFrames']],
    [
      'hot views',
      ['maxStreamsPerTopic', 'maxHotTopics', 'hotLogBytes', 'hotLogFrames', 'coldLogMaxBytes', 'coldLogMaxFrames'],
    ],
    ['keys', ['maxTopics']],
    ['message ids', ['maxTopics']],
    ['snapshots', ['maxSubscriptionsPerConnection']],
    ['spare hot logs', ['hotLogBytes', 'hotLogFrames']],
    ['messages held in moves', ['maxHotTopics', 'maxPayloadBytes']],
    ['cold logs', ['coldLogsMaxBytes']],
    ['connection', []],
    ['unsent', ['maxPayloadBytes']],
    ['half received', ['maxPayloadBytes']],
    ['subscriptions', ['maxSubscriptionsPerConnection']],
  ])('%s grow with %j and name them, and with nothing else', (owner, keys) => {
    const before = bytesOf(owner);
    const { rows, connectionRows } = memoryBound(base);
    const formula = [...rows, ...connectionRows].find((row) => row.owner === owner)?.formula;
    for (const [key, value] of Object.entries(base)) {
      if (typeof value !== 'number') continue;
      const after = bytesOf(owner, { [key]: value * 2 });
      if (keys.includes(key as keyof EngineConfig)) {
        expect(after, key).toBeGreaterThan(before);
        expect(formula).toContain(key);
      } else {
        expect(after, key).toBe(before);
      }
    }
  });

  it('has order books where a rule makes some, as many as there may be topics', () => {
    expect(bytesOf('order books')).toBe(0);
    const rules = parseConfig({
      topics: [
        { match: 'a', type: 'book' },
        { match: 'b', type: 'book', maxLevels: 10_000 },
      ],
    });
    const bytes = bytesOf('order books', { topics: rules.topics });
    // 640 bytes a level in the log, a power of two; 1,680 for objects, and 1,040,000 whatever the levels.
    expect(bytes).toBe(base.maxTopics * (8 * MIB + 10_000 * 1680 + 1_040_000));
  });

  it('has no hot logs and no rings without lanes: all topics are cold', () => {
    expect(bytesOf('hot logs', { lanes: 0 })).toBe(0);
    expect(bytesOf('lane request rings', { lanes: 0 })).toBe(0);
    expect(bytesOf('hot JSON streams', { lanes: 0 })).toBe(0);
    expect(bytesOf('hot views', { lanes: 0 })).toBe(0);
    expect(bytesOf('spare hot logs', { lanes: 0 })).toBe(0);
    expect(bytesOf('messages held in moves', { lanes: 0 })).toBe(0);
  });

  it('counts what the rule with the most keeps by key, or by message id, for each topic; nothing without such rules', () => {
    const stateLog = 2 * MIB + 8192 * 40 + 384;
    expect(bytesOf('keys')).toBe(1000 * (stateLog + 4000 * (256 + 255)));
    expect(bytesOf('snapshots')).toBe(10 * MIB);
    expect(bytesOf('message ids')).toBe(1000 * 1000 * (192 + 64));
    const single = topicsOf({ match: 'a', merge: true });
    expect(bytesOf('keys', { topics: single })).toBe(1000 * (MIB + 64 * 40 + 384 + 256 + 255));
    const plain = topicsOf({ match: 'a', home: 'hot' });
    for (const owner of ['keys', 'snapshots', 'message ids']) expect(bytesOf(owner, { topics: plain }), owner).toBe(0);
  });

  it('counts hot logs without any rule: the load decides which topics get one', () => {
    expect(parseConfig().topics.rules).toEqual([]);
    expect(bytesOf('hot logs', { topics: parseConfig().topics, lanes: 1 })).toBe(bytesOf('hot logs'));
  });

  it('counts as many spare logs as are kept', () => {
    const sizes = { dataBytes: 4096, frames: 16 };
    const logs = new SharedLogs(sizes);
    for (let index = 0; index < 100; index++) logs.give(new SharedLog(allocateSharedLog(sizes, 1)));
    expect(bytesOf('spare hot logs')).toBe(logs.spareCount * (4 * MIB + 16_384 * 40 + 384));
  });

  it('counts as much for what is received as the gateway allows', () => {
    expect(heldBackMaxBytes(2 * 64 * MIB)).toBe(bytesOf('received, not handled', { maxPayloadBytes: 64 * MIB }));
  });

  it('counts rings as large as they are made', () => {
    for (const ringBytes of [8 * KIB, 128 * KIB, 4 * MIB]) {
      const { requests, events } = allocateLaneRings(ringBytes);
      const stated =
        bytesOf('lane request rings', { lanes: 1, ringBytes }) + bytesOf('lane event rings', { lanes: 1, ringBytes });
      expect(requests.byteLength + events.byteLength - 2 * RING_HEAD_BYTES).toBe(stated);
    }
    expect(allocateTopicBusy(1000).byteLength).toBe(1000 * LANE_FIGURES_BYTES_PER_TOPIC);
  });

  it('counts what a moving topic may hold', () => {
    expect(bytesOf('messages held in moves')).toBe(base.maxHotTopics * (HELD_IN_MOVE_MAX_BYTES + base.maxPayloadBytes));
  });

  it('counts a hot log as large as it is allocated', () => {
    const memory = allocateSharedLog({ dataBytes: base.hotLogBytes, frames: base.hotLogFrames }, 1);
    expect(bytesOf('hot logs')).toBe(base.maxHotTopics * memory.byteLength);
  });
});
