// How long does it take until all topics of a lane whose thread dies are served again? All logs are full. Per crash and topic:
// from the order to end the thread to the arrival of the first message that was sent after it.

import { clockMs, sleep } from '../../../dist/load/clock.js';
import { completeBar, maximumBar, plainFigure } from '../../support/bars.js';
import { Recording } from '../../support/generator/recording.js';
import { RINGCAST_LANES, type Scenario, type Size } from '../../support/scenario.js';
import { MEASURED, PAYLOAD_BYTES } from '../../support/shared.js';
import { quantile } from '../samples.js';
import { FirstArrivals } from '../windows.js';

const NAME = 'recovery';
const VARIANT = 'one lane';
const LOG_BYTES = 4 * 1024 * 1024;
const FILL_PAYLOAD_BYTES = 4096;
/** Longer than a thread has to live to count as having lived: otherwise deaths in a row make the next start wait. */
const CRASH_INTERVAL_MS = 1300;
const PATIENCE = 4;
const GIVE_UP_MS = 15_000;

const topicCount = (size: Size): number => (size.smoke ? 10 : 100);
const crashCount = (size: Size): number =>
  size.smoke ? 2 : size.seconds === null ? 20 : Math.ceil((size.seconds * 1000) / CRASH_INTERVAL_MS);

export const recovery: Scenario = {
  name: NAME,
  title:
    '100 topics with full logs of 4 MiB in 1 lane, 1 subscriber each, 50 messages a second each; the lane is ended',
  variants: (size) => [
    {
      name: VARIANT,
      peers: [RINGCAST_LANES],
      server: {
        topics: { hot: topicCount(size), cold: 0 },
        payloadBytes: PAYLOAD_BYTES,
        maxDelayMs: 'auto',
        engine: { lanes: 1, topics: [{ match: 'hot:*', home: 0 }], hotLogBytes: LOG_BYTES },
      },
      connections: topicCount(size),
      publishers: 1,
    },
  ],
  async drive(load, variant, size) {
    const topics = topicCount(size);
    const crashes = crashCount(size);
    await load.order({ kind: 'fill', topics, bytes: LOG_BYTES, payloadBytes: FILL_PAYLOAD_BYTES });
    await load.connect(variant.connections);
    await load.subscribe(0, variant.connections, (connection) => [connection]);
    const stream = { firstTopic: 0, topicCount: topics, perSecond: 50 * topics, burst: 1 };
    const recording = new Recording();
    const slowest: number[] = [];
    const all: number[] = [];
    const crash = async (): Promise<void> => {
      load.beginRecording(recording);
      const { atMs } = await load.order({ kind: 'end-lane', lane: 0 });
      const arrivals = new FirstArrivals(recording, 'topics', topics, atMs);
      await arrivals.complete(GIVE_UP_MS);
      load.endRecording();
      const pausesMs = Array.from(arrivals.arrivedMs, (ms) => ms - atMs);
      all.push(...pausesMs);
      slowest.push(quantile(pausesMs, 1));
    };
    await load.schedules(MEASURED, 5 + (crashes * CRASH_INTERVAL_MS * PATIENCE) / 1000, [stream], async () => {
      for (let count = 0; count < crashes; count++) {
        const nextMs = clockMs() + CRASH_INTERVAL_MS;
        await sleep(nextMs - clockMs());
        await crash();
      }
    });
    for (const [name, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
      ['max', 1],
    ] as const) {
      load.outcome.figures[`served again after, ${name}, ms`] = quantile(all, share);
    }
    load.outcome.figures['the slowest topic of a crash, p50, ms'] = quantile(slowest, 0.5);
    load.outcome.figures.crashes = crashes;
  },
  bars(results) {
    const bar = (name: string) => ({
      scenario: NAME,
      label: `topic served again after a crash, ${name}`,
      unit: 'ms',
      value: results.spread(NAME, VARIANT, RINGCAST_LANES, (run) => run.figures[`served again after, ${name}, ms`]),
    });
    return [
      plainFigure(bar('p50'), null),
      maximumBar(bar('p99'), 500),
      plainFigure(bar('max'), null),
      completeBar(NAME, 'all delivered', results.incomplete(NAME, VARIANT, RINGCAST_LANES), null),
    ];
  },
};
