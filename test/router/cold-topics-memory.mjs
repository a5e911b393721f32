// A process of its own that makes many cold topics with one small message each, and prints what they take.

import { Core } from '#src/engine/core.js';
import { encode } from '#src/protocol/msgpack.js';

const TOPICS = 100_000;

/** Time passes when `rest` says so. */
let now = 0;
const due = [];
const loop = {
  nowMs: () => now,
  epochMs: () => now,
  busyMs: () => 0,
  soon: (callback) => due.push(callback),
  after: (_delayMs, callback) => {
    due.push(callback);
    return () => {};
  },
};

/** A minute in which no message comes. */
function rest() {
  for (const endMs = now + 60_000; now < endMs; now += 100) for (const callback of due.splice(0)) callback();
}

const settings = {
  historyMessages: 100,
  historyBytes: 2 ** 20,
  maxDelayMs: 'auto',
  slowConsumerPolicy: 'drop_oldest',
  maxLagMs: 0,
  maxLagMessages: 0,
};
const hot = { promoteDeliveriesPerSecond: 1e9, promoteAfterMs: 1000, demoteAfterMs: 1000, movesPerSecond: 10 };
const limits = {
  autoCreate: true,
  maxTopics: 1e6,
  maxHotTopics: 0,
  maxStreamsPerTopic: 100,
  defaults: settings,
  rules: [],
};
const logs = {
  dataMaxBytes: 2 ** 22,
  framesMax: 8192,
  logsMaxBytes: 2 ** 30,
  retention: { ms: 2000, messages: 0, bytes: 0 },
};

function measure() {
  for (let i = 0; i < 4; i++) globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, externalBytes: external, rssBytes: rss };
}

const payload = encode({ bid: 187.12, ask: 187.14, size: 300 });
const core = new Core(
  {
    delivery: { budgetMs: 0.5 },
    cold: logs,
    lanes: { lanes: 0, ringBytes: 0, stallMs: 1000, logSizes: { dataBytes: 2 ** 16, frames: 64 }, maxHotTopics: 0 },
    topics: limits,
    router: {
      maxSubscriptionsPerConnection: 1,
      maxPayloadBytes: 2 ** 20,
      hookTimeoutMs: 0,
      requestTimeoutMs: 1000,
      maxRequestsPerConnection: 3,
      maxPublishRatePerConnection: 0,
      maxPublishBurstPerConnection: 0,
      ...{ maxDurables: 0, maxDurablesPerTopic: 0, durableTtlMs: 1000, maxUnacked: 1 },
    },
    homes: { hot, rebalance: { ratio: 0 } },
  },
  {
    hooks: {},
    loop,
    threads: null,
    laneClock: loop,
    laneEvents: {},
    onFault: (fault) => console.error(fault),
    beforeTurn: () => {},
  },
);
const { topics, router, coldLink } = core;

const publish = (topic) =>
  router.publishing.publishLocally(topics.obtain(topic), payload, undefined, loop.nowMs(), null);

// Whatever is made once is made before.
publish('warm-up');
const before = measure();
for (let i = 0; i < TOPICS; i++) {
  publish(`prices:symbol-${i}`);
}
// Their load is measured as long as something comes.
rest();
const after = measure();
coldLink.trim(loop.nowMs() + 60_000);
const difference = Object.fromEntries(Object.keys(after).map((key) => [key, after[key] - before[key]]));
console.log(JSON.stringify({ topics: topics.count - 1, payloadBytes: payload.length, ...difference }));
