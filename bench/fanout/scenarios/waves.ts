// Does a cold topic wait for those who subscribe all at once to what others hold? For a snapshot of many keys, and for what a returning
// client has missed. Both are a companion's, like the hot topic of `isolation`.

import { clockMs, sleep } from '../../../dist/load/clock.js';
import { completeBar, differenceBar, plainFigure } from '../../support/bars.js';
import type { Companion } from '../../support/generator/companion.js';
import type { Load } from '../../support/generator/load.js';
import { Waves } from '../../support/generator/waves.js';
import { RINGCAST, type Scenario, type Size, secondsOf, type Variant } from '../../support/scenario.js';
import { latencyOf, PAYLOAD_BYTES, range } from '../../support/shared.js';

const COLD_TOPICS = 100;
/** The waves go on until the cold traffic beside them has ended for certain. */
const MARGIN_SECONDS = 0.5;
const FILL_PER_SECOND = 10_000;

const besideSeconds = (size: Size): number => secondsOf(size, 12);

async function drive(load: Load, { connections, server }: Variant, size: Size, companion: Companion): Promise<void> {
  const { hot } = server.topics;
  const cold = { firstTopic: hot, topicCount: COLD_TOPICS, perSecond: 500, burst: 1 };
  await load.connect(connections);
  await load.subscribe(0, COLD_TOPICS, (connection) => [hot + connection]);
  await companion.start();
  await load.schedules('warm-up', secondsOf(size, 12) / 4, [cold]);
  load.warmedUp('warm-up');
  await load.schedules('alone', besideSeconds(size), [cold]);
  companion.publish();
  await load.schedules('beside', besideSeconds(size), [cold]);
  await companion.join(load.outcome);
}

/** Publishes `messages` to the topic, or to its keys in turn. */
async function fill(load: Load, topicCount: number, messages: number): Promise<void> {
  const schedule = { firstTopic: 0, topicCount, perSecond: FILL_PER_SECOND, burst: 50 };
  await load.schedules('fill', messages / FILL_PER_SECOND, [schedule]);
  load.takeOut('fill');
}

async function runWaves(load: Load, waves: Waves, size: Size): Promise<void> {
  const endMs = clockMs() + (besideSeconds(size) + MARGIN_SECONDS) * 1000;
  await waves.run(() => clockMs() > endMs);
  const { figures, problems } = load.outcome;
  figures.waves = waves.waves;
  figures['client served p50, ms'] = waves.latency.quantileMicros(0.5) / 1000;
  figures['client served p99, ms'] = waves.latency.quantileMicros(0.99) / 1000;
  problems.push(...waves.problems);
  waves.end();
}

function barsOf(name: string, variant: string): Scenario['bars'] {
  return (results) => {
    const spread = (pick: Parameters<typeof results.spread>[3]) => results.spread(name, variant, RINGCAST, pick);
    const served = (label: string, figure: string) =>
      plainFigure({ scenario: name, label, unit: 'ms', value: spread((run) => run.figures[figure]) }, null);
    return [
      differenceBar(
        {
          ...{ scenario: name, label: 'cold p99 beside, against alone', unit: 'ms' },
          value: spread(latencyOf('beside', 'cold', 'p99Micros', 1000)),
        },
        spread(latencyOf('alone', 'cold', 'p99Micros', 1000)),
        3,
      ),
      served('a client has all of it, p50', 'client served p50, ms'),
      served('a client has all of it, p99', 'client served p99, ms'),
      completeBar(name, 'all delivered', results.incomplete(name, variant, RINGCAST), null),
    ];
  };
}

const SNAPSHOTS = 'snapshots';
const KEYS_VARIANT = '10,000 keys';

const keysOf = (size: Size): number => (size.smoke ? 500 : 10_000);

export const snapshots: Scenario = {
  name: SNAPSHOTS,
  title:
    '100 cold topics, 500 messages a second in all: alone, then beside 100 clients that subscribe to a topic of 10,000 keys with a snapshot, all at once, once a second',
  variants: (size) => [
    {
      name: KEYS_VARIANT,
      peers: [RINGCAST],
      server: {
        ...{ topics: { hot: keysOf(size), cold: COLD_TOPICS, isKeyed: true }, payloadBytes: PAYLOAD_BYTES },
        ...{ maxDelayMs: 'auto', engine: { topics: [{ match: 'hot:*', home: 'hot', keyed: true }] } },
      },
      connections: COLD_TOPICS,
      publishers: 1,
      companion: { connections: size.smoke ? 10 : 100, publishers: 1 },
    },
  ],
  drive,
  async companion(load, { companion, server }, size, told) {
    const keys = server.topics.hot;
    const { connections } = companion!;
    const waves = new Waves(load, { connections, topics: range(0, keys), wanted: keys, everyMs: 1000 });
    await fill(load, keys, keys);
    await waves.connect();
    load.dialect.reading = { snapshot: true };
    await told();
    await runWaves(load, waves, size);
  },
  bars: barsOf(SNAPSHOTS, KEYS_VARIANT),
};

const RETURNS = 'returns';
const RETURNS_VARIANT = '5,000 clients';
/** What each of them has missed: more than one slice. */
const MISSED = 200;

export const returns: Scenario = {
  name: RETURNS,
  title: `100 cold topics, 500 messages a second in all: alone, then beside 5,000 clients that subscribe to a hot topic with a position, ${MISSED} messages back, all at once, every 3 s`,
  variants: (size) => [
    {
      name: RETURNS_VARIANT,
      peers: [RINGCAST],
      server: { topics: { hot: 1, cold: COLD_TOPICS }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: COLD_TOPICS,
      publishers: 1,
      companion: { connections: size.smoke ? 100 : 5000, publishers: 1 },
    },
  ],
  drive,
  async companion(load, { companion }, size, told) {
    const { connections } = companion!;
    const waves = new Waves(load, { connections, topics: [0], wanted: MISSED, everyMs: 3000 });
    await waves.connect();
    await fill(load, 1, MISSED);
    // The topic is there by now, also for who reads slowly what has been published.
    await sleep(100);
    const epoch = await waves.epoch();
    load.dialect.reading = { since: { epoch, seq: 0 } };
    await told();
    await runWaves(load, waves, size);
  },
  bars: barsOf(RETURNS, RETURNS_VARIANT),
};
