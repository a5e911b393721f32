// What does it cost to measure all topics' load? The measurement is switched on and off in turn while one server runs, because
// its cost is far below the difference between two servers' runs. Pairs of phases, on–off and off–on in turn, so that a drift
// hits both alike; of the pairs the median counts.

import { sleep } from '../../../dist/load/clock.js';
import { completeBar, maximumBar, plainFigure } from '../../support/bars.js';
import type { Load } from '../../support/generator/load.js';
import { RINGCAST_LANES, type Scenario, type Size, secondsOf, type Variant } from '../../support/scenario.js';
import { PAYLOAD_BYTES, range } from '../../support/shared.js';
import { medianInterval, quantile } from '../samples.js';

const NAME = 'overhead';
const SATURATION = 'saturation';
const COLD = 'active cold topics';
const IN_FLIGHT = 4;
/** The pause between two sweeps is far shorter: until then each topic has been met by one, or let go of. */
const SETTLE_MS = 1200;
const COLD_CONNECTIONS = 10;
const PATIENCE = 4;

const OVERHEAD = 'overhead, % of the CPU per delivery';
const PER_TOPIC = 'measuring one active topic, ns per second';

const subscriberCount = (size: Size): number => (size.smoke ? 100 : 5000);
const coldTopics = (size: Size): number => (size.smoke ? 500 : 10_000);
const pairCount = (size: Size, full: number): number => (size.smoke ? 1 : full);

interface Pair {
  on: number;
  off: number;
}

/** Calls `measure` with the measurement on and off in turn. */
async function pairs(load: Load, count: number, measure: () => Promise<number>): Promise<Pair[]> {
  const taken: Pair[] = [];
  const take = async (isOn: boolean): Promise<number> => {
    await load.order({ kind: 'measure', isOn });
    return measure();
  };
  for (let index = 0; index < count; index++) {
    const isOnFirst = index % 2 === 0;
    const first = await take(isOnFirst);
    const second = await take(!isOnFirst);
    taken.push(isOnFirst ? { on: first, off: second } : { on: second, off: first });
  }
  await load.order({ kind: 'measure', isOn: true });
  return taken;
}

async function saturate(load: Load, { connections }: Variant, size: Size): Promise<void> {
  const seconds = secondsOf(size, 0.4);
  await load.connect(connections);
  await load.subscribe(0, connections, () => [0]);
  await load.closedLoop('warm-up', seconds * 8, 0, IN_FLIGHT);
  load.warmedUp('warm-up');
  const taken = await pairs(load, pairCount(size, 120), async () => {
    await load.closedLoop('phase', seconds, 0, IN_FLIGHT);
    return load.takeOut('phase').cpuMicrosPerDelivery!;
  });
  const percent = taken.map(({ on, off }) => (on / off - 1) * 100);
  const [lower, upper] = medianInterval(percent);
  Object.assign(load.outcome.figures, {
    'CPU per delivery, measurement on, µs': quantile(
      taken.map(({ on }) => on),
      0.5,
    ),
    'CPU per delivery, measurement off, µs': quantile(
      taken.map(({ off }) => off),
      0.5,
    ),
    [OVERHEAD]: quantile(percent, 0.5),
    'overhead, lower end of the 95 % confidence interval, %': lower,
    'overhead, upper end of the 95 % confidence interval, %': upper,
  });
}

async function keepActive(load: Load, { connections, server }: Variant, size: Size): Promise<void> {
  const topics = server.topics.cold;
  const each = topics / connections;
  await load.connect(connections);
  await load.subscribe(0, connections, (connection) => range(connection * each, each));
  const onePerSecond = { firstTopic: 0, topicCount: topics, perSecond: topics, burst: 10 };
  const settleMs = size.smoke ? SETTLE_MS / 10 : SETTLE_MS;
  const measureMs = secondsOf(size, 2) * 1000;
  const count = pairCount(size, 6);
  const phaseSeconds = ((settleMs + measureMs) * 2 * (count + 1)) / 1000;
  let taken: Pair[] = [];
  await load.schedules('one message per topic and second', phaseSeconds * PATIENCE, [onePerSecond], async () => {
    await sleep(settleMs + measureMs); // the first messages are those after which code is compiled
    taken = await pairs(load, count, async () => {
      await sleep(settleMs);
      const before = await load.sampleServer();
      await sleep(measureMs);
      const after = await load.sampleServer();
      return (after.cpuMicros - before.cpuMicros) / (after.atMs - before.atMs); // ‰ of a core
    });
  });
  const perTopicNs = taken.map(({ on, off }) => ((on - off) * 1e6) / topics);
  Object.assign(load.outcome.figures, {
    'server CPU, measurement on, % of a core': quantile(
      taken.map(({ on }) => on / 10),
      0.5,
    ),
    'server CPU, measurement off, % of a core': quantile(
      taken.map(({ off }) => off / 10),
      0.5,
    ),
    [PER_TOPIC]: quantile(perTopicNs, 0.5),
    'lower quartile of the pairs, ns': quantile(perTopicNs, 0.25),
    'upper quartile of the pairs, ns': quantile(perTopicNs, 0.75),
  });
}

export const overhead: Scenario = {
  name: NAME,
  title: '1 hot topic × 5,000 subscribers, 4 messages in flight; and 10,000 cold topics with 1 message a second each',
  variants: (size) => [
    {
      name: SATURATION,
      peers: [RINGCAST_LANES],
      server: {
        topics: { hot: 1, cold: 0 },
        payloadBytes: PAYLOAD_BYTES,
        maxDelayMs: 'auto',
        engine: { lanes: 1, topics: [{ match: 'hot:*', home: 0 }] },
      },
      connections: subscriberCount(size),
      publishers: 1,
    },
    {
      name: COLD,
      peers: [RINGCAST_LANES],
      server: {
        topics: { hot: 0, cold: coldTopics(size) },
        payloadBytes: PAYLOAD_BYTES,
        maxDelayMs: 50, // few writes, whose cost varies more than what is to be seen beside it
        engine: { lanes: 1 },
      },
      connections: COLD_CONNECTIONS,
      publishers: 1,
    },
  ],
  drive: (load, variant, size) =>
    variant.name === SATURATION ? saturate(load, variant, size) : keepActive(load, variant, size),
  bars(results) {
    const pick = (variant: string, name: string) =>
      results.spread(NAME, variant, RINGCAST_LANES, (run) => run.figures[name]);
    const bar = { scenario: NAME, unit: '%', value: pick(SATURATION, OVERHEAD) };
    return [
      maximumBar({ ...bar, label: 'of CPU per delivery, in saturation' }, 1),
      plainFigure(
        { scenario: NAME, label: 'per active cold topic and second', unit: 'ns', value: pick(COLD, PER_TOPIC) },
        null,
      ),
      completeBar(
        NAME,
        'all delivered',
        [SATURATION, COLD].reduce((sum, name) => sum + (results.incomplete(NAME, name, RINGCAST_LANES) ?? 0), 0),
        null,
      ),
    ];
  },
};
