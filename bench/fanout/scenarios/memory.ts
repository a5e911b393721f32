// What does an idle connection cost? And a subscription?

import { completeBar, differenceBar, maximumBar } from '../../support/bars.js';
import { kernelObjectBytes } from '../../support/kernel-sockets.js';
import { RINGCAST, type Scenario, type Size, UWS, WS } from '../../support/scenario.js';
import { addPoint, MEMORY } from '../../support/series.js';
import { PAYLOAD_BYTES, range, settledRssBytes } from '../../support/shared.js';

const VARIANT = 'idle';
const IDLE_TOPICS = 100;
const IDLE_WARM = 100;
const STEPS = 2;
const MIB = 2 ** 20;
const BY_CONNECTIONS = 'memory by connections';
const CONNECTIONS = { label: 'connections', unit: '' };
const PER_CONNECTION = 'RSS per connection, bytes';

const SUBSCRIPTIONS_WARM = 10;
const PER_SUBSCRIPTION = 'RSS per subscription, bytes';
const subscriptionTopics = (size: Size): number => (size.smoke ? 100 : 1000);

export const memory: Scenario = {
  name: 'memory',
  title: '10,000 idle connections with 1 subscription each (100 more come before the first reading)',
  variants: (size) => [
    {
      name: VARIANT,
      peers: [UWS, WS, RINGCAST],
      server: { topics: { hot: 0, cold: IDLE_TOPICS }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: IDLE_WARM + (size.smoke ? 200 : 10_000),
      publishers: 1,
    },
  ],
  async drive(load, variant, size) {
    const topicOf = (connection: number): number[] => [connection % IDLE_TOPICS];
    const idle = variant.connections - IDLE_WARM;
    await load.connect(IDLE_WARM);
    await load.subscribe(0, IDLE_WARM, topicOf);
    const before = await settledRssBytes(load, size);
    const objectsBefore = kernelObjectBytes();
    let after = before;
    addPoint(load.outcome, BY_CONNECTIONS, [CONNECTIONS, MEMORY], IDLE_WARM, before / MIB);
    for (let step = 1; step <= STEPS; step++) {
      const first = load.connections.length;
      const count = Math.round((idle * step) / STEPS) + IDLE_WARM - first;
      await load.connect(count);
      await load.subscribe(first, count, topicOf);
      after = await settledRssBytes(load, size);
      addPoint(load.outcome, BY_CONNECTIONS, [CONNECTIONS, MEMORY], load.connections.length, after / MIB);
    }
    load.outcome.figures[PER_CONNECTION] = (after - before) / idle;
    const objects = kernelObjectBytes();
    if (objects !== null && objectsBefore !== null) {
      load.outcome.figures['kernel objects per connection, both ends, bytes'] = (objects - objectsBefore) / idle;
    }
    const oneEach = { firstTopic: 0, topicCount: IDLE_TOPICS, perSecond: IDLE_TOPICS * 2, burst: 1 };
    await load.schedules('one message per topic', 0.5, [oneEach]);
  },
  bars(results) {
    const pick = (peer: string) => results.spread('memory', VARIANT, peer, (run) => run.figures[PER_CONNECTION]);
    const bar = { scenario: 'memory', label: 'RSS per connection', unit: 'bytes', value: pick(RINGCAST) };
    return [
      differenceBar(bar, pick(UWS), 768),
      completeBar(
        'memory',
        'all delivered',
        results.incomplete('memory', VARIANT, RINGCAST),
        results.incomplete('memory', VARIANT, UWS),
      ),
    ];
  },
};

export const subscriptions: Scenario = {
  name: 'subscriptions',
  title: '500 connections × 1,000 cold topics each (10 more connections come before the first reading)',
  variants: (size) => [
    {
      name: VARIANT,
      peers: [UWS, RINGCAST],
      server: {
        topics: { hot: 0, cold: subscriptionTopics(size) },
        payloadBytes: PAYLOAD_BYTES,
        topicsPerConnection: subscriptionTopics(size),
        maxDelayMs: 'auto',
      },
      connections: SUBSCRIPTIONS_WARM + (size.smoke ? 20 : 500),
      publishers: 1,
    },
  ],
  async drive(load, variant, size) {
    const topics = range(0, subscriptionTopics(size));
    const count = variant.connections - SUBSCRIPTIONS_WARM;
    await load.connect(variant.connections);
    await load.subscribe(0, SUBSCRIPTIONS_WARM, () => topics);
    const before = await settledRssBytes(load, size);
    await load.subscribe(SUBSCRIPTIONS_WARM, count, () => topics);
    load.outcome.figures[PER_SUBSCRIPTION] = ((await settledRssBytes(load, size)) - before) / (count * topics.length);
    const oneEach = { firstTopic: 0, topicCount: topics.length, perSecond: topics.length / 2, burst: 1 };
    await load.schedules('one message per topic', 2, [oneEach]);
  },
  bars(results) {
    const pick = (peer: string) =>
      results.spread('subscriptions', VARIANT, peer, (run) => run.figures[PER_SUBSCRIPTION]);
    const bar = { scenario: 'subscriptions', label: 'RSS per subscription', unit: 'bytes', value: pick(RINGCAST) };
    return [
      { ...maximumBar(bar, 160), baseline: pick(UWS) },
      completeBar(
        'subscriptions',
        'all delivered',
        results.incomplete('subscriptions', VARIANT, RINGCAST),
        results.incomplete('subscriptions', VARIANT, UWS),
      ),
    ];
  },
};
