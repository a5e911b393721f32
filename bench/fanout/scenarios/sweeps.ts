// Sweeps: the same load over a range of one size: topics, subscribers, bytes of payload.

import { type Bar, completeBar, plainFigure } from '../../support/bars.js';
import type { Load } from '../../support/generator/load.js';
import type { Axis, Phase, Results, RunResult } from '../../support/results.js';
import { RINGCAST, type Scenario, type Size, secondsOf, UWS, type Variant } from '../../support/scenario.js';
import { addPoint, addSweepPoints, MEMORY } from '../../support/series.js';
import { cpuPerDelivery, latencyOf, MEASURED, PAYLOAD_BYTES, settledRssBytes } from '../../support/shared.js';

const MIB = 2 ** 20;

interface Sweep {
  name: string;
  title: string;
  /** Of the x axis, and in the names of series. */
  by: string;
  axis: Axis;
  sizes: number[];
  smokeSizes: number[];
  variant: (count: number, smoke: boolean) => Omit<Variant, 'name' | 'peers'>;
  drive: (load: Load, variant: Variant, size: Size, count: number) => Promise<Phase>;
  topicClass: 'hot' | 'cold';
}

const variantName = ({ by }: Sweep, count: number): string => `${count.toLocaleString('en-US')} ${by}`;

function sweepScenario(sweep: Sweep): Scenario {
  const { name, title, by, axis, topicClass } = sweep;
  const sizesOf = (size: Size): number[] => (size.smoke ? sweep.smokeSizes : sweep.sizes);
  return {
    name,
    title,
    variants: (size) =>
      sizesOf(size).map((count) => ({
        name: variantName(sweep, count),
        peers: [UWS, RINGCAST],
        ...sweep.variant(count, size.smoke),
      })),
    async drive(load, variant, size) {
      const count = sizesOf(size).find((candidate) => variantName(sweep, candidate) === variant.name)!;
      const phase = await sweep.drive(load, variant, size, count);
      // Of connections there may be fewer than asked for.
      const x = count === sweep.variant(count, size.smoke).connections ? variant.connections : count;
      addSweepPoints(load.outcome, by, axis, x, phase, topicClass);
      addPoint(load.outcome, `memory by ${by}`, [axis, MEMORY], x, phase.rssBytes / MIB);
    },
    bars: (results) => sweepBars(sweep, results),
  };
}

/** The two ends of the range, and whether all was right everywhere. */
function sweepBars(sweep: Sweep, results: Results): Bar[] {
  const { name, sizes, topicClass } = sweep;
  const variants = sizes.map((count) => variantName(sweep, count));
  const wrong = (peer: string): number | null =>
    variants
      .map((variant) => results.incomplete(name, variant, peer))
      .reduce((sum, count) => (count === null ? sum : (sum ?? 0) + count), null);
  const bar = (variant: string, label: string, unit: string, pick: (run: RunResult) => number | undefined): Bar =>
    plainFigure(
      { scenario: name, label: `${variant}: ${label}`, unit, value: results.spread(name, variant, RINGCAST, pick) },
      results.spread(name, variant, UWS, pick),
    );
  const ends = [variants[0], variants.at(-1)!];
  return [
    ...ends.flatMap((variant) => [
      bar(variant, 'server CPU per delivery', 'µs', cpuPerDelivery),
      bar(variant, 'p99', 'ms', latencyOf(MEASURED, topicClass, 'p99Micros', 1000)),
      bar(variant, 'RSS', 'MiB', (run) => (run.phases[MEASURED]?.rssBytes ?? Number.NaN) / MIB),
    ]),
    completeBar(name, 'all delivered', wrong(RINGCAST), wrong(UWS)),
  ];
}

const TOPIC_CLIENTS = 500;
const SUBSCRIBERS_PER_TOPIC = 5;
const TOPIC_MESSAGES_PER_SECOND = 5000;
const ONE_EACH_MAX_PER_SECOND = 10_000;
const ONE_EACH_MIN_SECONDS = 0.5;

/** Clients take turns: topic t has clients 5 t, 5 t + 1, … 5 t + 4, modulo their number. */
function topicsOfClient(client: number, topics: number, clients: number): number[] {
  const own: number[] = [];
  for (let topic = 0; topic < topics; topic++) {
    const distance = (client - ((topic * SUBSCRIBERS_PER_TOPIC) % clients) + clients) % clients;
    if (distance < SUBSCRIBERS_PER_TOPIC) own.push(topic);
  }
  return own;
}

export const topics = sweepScenario({
  name: 'topics',
  title: '10 → 100,000 cold topics × 5 subscribers among 500 clients, 5,000 messages a second in all',
  by: 'topics',
  axis: { label: 'topics', unit: '', log: true },
  sizes: [10, 100, 1000, 10_000, 100_000],
  smokeSizes: [10, 2000],
  topicClass: 'cold',
  variant(count, smoke) {
    const connections = smoke ? 20 : TOPIC_CLIENTS;
    const topicsPerConnection = Math.ceil((count * SUBSCRIBERS_PER_TOPIC) / connections);
    return {
      server: { topics: { hot: 0, cold: count }, payloadBytes: PAYLOAD_BYTES, topicsPerConnection, maxDelayMs: 'auto' },
      connections,
      publishers: 1,
    };
  },
  async drive(load, { connections }, size, count) {
    await load.connect(connections);
    await load.subscribe(0, connections, (client) => topicsOfClient(client, count, connections));
    const all = { firstTopic: 0, topicCount: count, burst: 1 };
    const seconds = Math.max(ONE_EACH_MIN_SECONDS, count / ONE_EACH_MAX_PER_SECOND);
    await load.schedules('each topic at least once', seconds, [{ ...all, perSecond: count / seconds }]);
    load.warmedUp('each topic at least once');
    const schedule = { ...all, perSecond: size.smoke ? 500 : TOPIC_MESSAGES_PER_SECOND };
    await load.schedules('warm-up', secondsOf(size, 5) / 2, [schedule]);
    load.warmedUp('warm-up');
    return load.schedules(MEASURED, secondsOf(size, 5), [schedule]);
  },
});

export const subscribers = sweepScenario({
  name: 'subscribers',
  title: '1 hot topic × 100 → 15,000 subscribers, 10 messages a second',
  by: 'subscribers',
  axis: { label: 'subscribers', unit: '', log: true },
  sizes: [100, 500, 2000, 5000, 10_000, 15_000],
  smokeSizes: [20, 200],
  topicClass: 'hot',
  variant: (count) => ({
    server: { topics: { hot: 1, cold: 0 }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
    connections: count,
    publishers: 1,
  }),
  async drive(load, { connections }, size) {
    const schedule = { firstTopic: 0, topicCount: 1, perSecond: 10, burst: 1 };
    const { outcome } = load;
    await load.connect(connections);
    await load.subscribe(0, connections, () => [0]);
    await load.schedules('warm-up', secondsOf(size, 6) / 3, [schedule]);
    load.warmedUp('warm-up');
    const phase = await load.schedules(MEASURED, secondsOf(size, 6), [schedule]);
    const rate: Axis = { label: 'delivered', unit: 'deliveries/s' };
    const cpu: Axis = { label: 'server CPU', unit: '% of a core' };
    addPoint(outcome, 'CPU by rate', [rate, cpu], phase.deliveriesPerSecond, phase.serverCpuPercent);
    const connected: Axis = { label: 'connections', unit: '' };
    const rssMiB = (await settledRssBytes(load, size)) / MIB;
    addPoint(outcome, 'memory by connections', [connected, MEMORY], connections, rssMiB);
    return phase;
  },
});

export const payload = sweepScenario({
  name: 'payload',
  title: '1 hot topic × 100 subscribers, 50 messages a second of 32 B → 64 KiB',
  by: 'payload bytes',
  axis: { label: 'payload', unit: 'bytes', log: true },
  sizes: [32, 128, 512, 2048, 8192, 32_768, 65_536],
  smokeSizes: [32, 65_536],
  topicClass: 'hot',
  variant: (count, smoke) => ({
    server: { topics: { hot: 1, cold: 0 }, payloadBytes: count, maxDelayMs: 'auto' },
    connections: smoke ? 10 : 100,
    publishers: 1,
  }),
  async drive(load, { connections }, size) {
    const schedule = { firstTopic: 0, topicCount: 1, perSecond: 50, burst: 1 };
    await load.connect(connections);
    await load.subscribe(0, connections, () => [0]);
    await load.schedules('warm-up', secondsOf(size, 5) / 2, [schedule]);
    load.warmedUp('warm-up');
    return load.schedules(MEASURED, secondsOf(size, 5), [schedule]);
  },
});
