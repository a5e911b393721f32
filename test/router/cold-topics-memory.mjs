// A process of its own that makes many cold topics with one small message each, and prints what they take.

import { Delivery } from '#src/delivery/delivery.js';
import { DirectLink } from '#src/lane/direct-link.js';
import { encode } from '#src/protocol/msgpack.js';
import { Router } from '#src/router/router.js';
import { TopicRegistry } from '#src/router/topic-registry.js';

const TOPICS = 100_000;

const scheduler = {
  nowMs: () => performance.now(),
  epochMs: () => Date.now(),
  busyMs: () => 0,
  soon: () => {},
  after: () => () => {},
};
const settings = {
  historyMessages: 100,
  historyBytes: 2 ** 20,
  maxDelayMs: 'auto',
  slowConsumerPolicy: 'drop_oldest',
  maxLagMs: 0,
  maxLagMessages: 0,
};
const limits = { autoCreate: true, maxTopics: 1e6, maxHotTopics: 0, defaults: settings, rules: [] };
const logs = { dataMaxBytes: 2 ** 22, framesMax: 8192, logsMaxBytes: 2 ** 30, retainMs: 2000 };

function measure() {
  for (let i = 0; i < 4; i++) globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, externalBytes: external, rssBytes: rss };
}

const payload = encode({ bid: 187.12, ask: 187.14, size: 300 });
const delivery = new Delivery({ budgetMs: 0.5 }, scheduler);
const link = new DirectLink(logs);
const registry = new TopicRegistry(limits, delivery, link, []);
const router = new Router(
  { maxSubscriptionsPerConnection: 1, maxPayloadBytes: 2 ** 20 },
  registry,
  delivery,
  {},
  scheduler,
);

const publish = (topic) => router.publishLocal(registry.obtain(topic), payload, undefined, scheduler.nowMs(), null);

// Whatever is made once is made before.
publish('warm-up');
const before = measure();
for (let i = 0; i < TOPICS; i++) {
  publish(`prices:symbol-${i}`);
}
const after = measure();
link.trim(scheduler.nowMs() + 60_000);
const difference = Object.fromEntries(Object.keys(after).map((key) => [key, after[key] - before[key]]));
console.log(JSON.stringify({ topics: registry.count - 1, payloadBytes: payload.length, ...difference }));
