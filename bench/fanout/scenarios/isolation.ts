// Does a cold topic wait for a hot one? Cold traffic is measured alone, then beside a hot topic with many subscribers. These
// are a companion's: in one process the cold messages would wait for the generator's own reading of the hot ones.

import { clockMs, sleep } from '../../../dist/load/clock.js';
import { completeBar, maximumBar } from '../../support/bars.js';
import type { Load } from '../../support/generator/load.js';
import { Recording } from '../../support/generator/recording.js';
import type { Percentiles } from '../../support/results.js';
import { RINGCAST, type Scenario, type Size, secondsOf, UWS } from '../../support/scenario.js';
import { addPoint, LATENCY, windowMaxima } from '../../support/series.js';
import { latencyOf, PAYLOAD_BYTES } from '../../support/shared.js';

const NAME = 'isolation';
const VARIANT = 'one hot topic';
const COLD_TOPICS = 100;
/** The hot traffic goes on until the cold traffic of `beside` has ended for certain. */
const HOT_MARGIN_SECONDS = 1;
const WINDOW_MS = 50;

const settleSeconds = (size: Size): number => (size.smoke ? 0.2 : 2);

export const isolation: Scenario = {
  name: NAME,
  title: '100 cold topics, 500 messages a second in all: alone, then beside 1 hot topic × 10,000 subscribers × 10/s',
  variants: (size) => [
    {
      name: VARIANT,
      peers: [UWS, RINGCAST],
      server: { topics: { hot: 1, cold: COLD_TOPICS }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: COLD_TOPICS,
      publishers: 1,
      companion: { connections: size.smoke ? 200 : 10_000, publishers: 1 },
    },
  ],
  async drive(load, variant, size, companion) {
    const cold = { firstTopic: 1, topicCount: COLD_TOPICS, perSecond: 500, burst: 1 };
    await load.connect(variant.connections);
    await load.subscribe(0, COLD_TOPICS, (connection) => [1 + connection]);
    await companion.start();
    await load.schedules('warm-up', secondsOf(size, 8) / 4, [cold]);
    load.warmedUp('warm-up');
    await overTime(load, 'alone', () => load.schedules('alone', secondsOf(size, 8) / 2, [cold]));
    companion.publish();
    await sleep(settleSeconds(size) * 1000);
    await overTime(load, 'beside', () => load.schedules('beside', secondsOf(size, 8), [cold]));
    await companion.join(load.outcome);
  },
  async companion(load, { companion }, size, told) {
    const hot = { firstTopic: 0, topicCount: 1, perSecond: 10, burst: 1 };
    const { connections } = companion!;
    await load.connect(connections);
    await load.subscribe(0, connections, () => [0]);
    await told();
    const seconds = settleSeconds(size) + secondsOf(size, 8) + HOT_MARGIN_SECONDS;
    await load.schedules('hot, by the companion', seconds, [hot]);
  },
  bars(results) {
    const bar = (figure: keyof Percentiles, label: string, maximum: number) => {
      const pick = latencyOf('beside', 'cold', figure, 1000);
      const value = results.spread(NAME, VARIANT, RINGCAST, pick);
      const baseline = results.spread(NAME, VARIANT, UWS, pick);
      return { ...maximumBar({ scenario: NAME, label, unit: 'ms', value }, maximum), baseline };
    };
    return [
      bar('p90Micros', 'cold p90 beside the hot topic', 1),
      bar('p99Micros', 'cold p99 beside the hot topic', 3),
      completeBar(
        NAME,
        'all delivered, hot and cold',
        results.incomplete(NAME, VARIANT, RINGCAST),
        results.incomplete(NAME, VARIANT, UWS),
      ),
    ];
  },
};

/** Takes down the worst latency of every little while. */
async function overTime(load: Load, name: string, phase: () => Promise<unknown>): Promise<void> {
  const recording = new Recording();
  load.beginRecording(recording);
  const startMs = clockMs();
  await phase();
  load.endRecording();
  const { count, sentMs, arrivedMs } = recording;
  const latencyMs = (index: number): number => arrivedMs[index] - sentMs[index];
  const axes = [
    { label: 'time', unit: 's' },
    { ...LATENCY, label: `worst latency in ${WINDOW_MS} ms` },
  ] as const;
  for (const [seconds, ms] of windowMaxima(sentMs, latencyMs, count, startMs, WINDOW_MS)) {
    addPoint(load.outcome, `cold latency over time, ${name}`, [...axes], seconds, ms);
  }
}
