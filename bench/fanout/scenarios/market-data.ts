// Real messages: their sizes, their times, and how unevenly they are spread over topics.

import { existsSync } from 'node:fs';
import { type Bar, completeBar, plainFigure } from '../../support/bars.js';
import { RINGCAST, type Scenario, type Size, secondsOf, UWS, type Variant } from '../../support/scenario.js';
import { cpuPerDelivery, latencyOf, MEASURED, range, seededRandom } from '../../support/shared.js';

const NAME = 'market-data';
const SEED = 20240808;
/** More than the recording has (18 streams and 3 kinds of snapshots); a recording with more of them cannot be used. */
const TOPICS = 64;
/** Topics that subscribers choose from: the busiest of the recording. */
const CHOICE = 18;
const PER_CLIENT = 6;
/** What a message has at least around it; the recording's median message has 204 bytes. */
const TYPICAL_BYTES = 256;

interface Speed {
  name: string;
  /** Null: as fast as the subscribers receive it. */
  speed: number | null;
  /** More than some machines can take: messages may be skipped, if the server says so. */
  mayOverload: boolean;
}

const SPEEDS: Speed[] = [
  { name: '1 ×', speed: 1, mayOverload: false },
  { name: '10 ×', speed: 10, mayOverload: true },
  { name: 'max', speed: null, mayOverload: true },
];

const speedsOf = (size: Size): Speed[] => (size.smoke ? SPEEDS.filter(({ speed }) => speed !== 10) : SPEEDS);
const clients = (size: Size): number => (size.smoke ? 10 : 100);

export const marketData: Scenario = {
  name: NAME,
  title: `recorded market data to 100 clients × 6 of its 18 busiest topics (seed ${SEED}) at 1 ×, 10 × and max, at most 20,000 deliveries under way`,
  unavailable: ({ recordingFile }) =>
    recordingFile !== undefined && existsSync(recordingFile)
      ? null
      : `no recorded market data at ${recordingFile}; --data names a file (see ringcast replay)`,
  variants: (size) =>
    speedsOf(size).map(
      ({ name }): Variant => ({
        name,
        peers: [UWS, RINGCAST],
        server: { topics: { hot: 0, cold: TOPICS }, payloadBytes: TYPICAL_BYTES, maxDelayMs: 'auto' },
        connections: clients(size),
        publishers: 1,
      }),
    ),
  async drive(load, { name, connections }, size) {
    const { speed, mayOverload } = SPEEDS.find((candidate) => candidate.name === name)!;
    const { topics } = await load.loadRecording(size.recordingFile!);
    if (topics.length > TOPICS) throw new Error(`the recording has ${topics.length} topics, ${TOPICS} are the most`);
    const random = seededRandom(SEED);
    const choice = range(0, Math.min(CHOICE, topics.length));
    await load.connect(connections);
    await load.subscribe(0, connections, () =>
      choice
        .map((topic) => ({ topic, key: random() }))
        .sort((left, right) => left.key - right.key)
        .slice(0, PER_CLIENT)
        .map(({ topic }) => topic),
    );
    await load.replay('warm-up', secondsOf(size, 10) / 4, speed, mayOverload);
    load.warmedUp('warm-up');
    const { published, seconds } = await load.replay(MEASURED, secondsOf(size, 10), speed, mayOverload);
    load.outcome.figures['messages per second'] = published / seconds;
  },
  bars(results) {
    return SPEEDS.flatMap(({ name, speed, mayOverload }): Bar[] => {
      const figure = (label: string, unit: string, pick: typeof cpuPerDelivery) =>
        plainFigure(
          { scenario: NAME, label: `${name}: ${label}`, unit, value: results.spread(NAME, name, RINGCAST, pick) },
          results.spread(NAME, name, UWS, pick),
        );
      const rate = figure('deliveries', 'per s', (run) => run.phases[MEASURED]?.deliveriesPerSecond);
      return [
        ...(speed === null ? [rate] : []),
        figure('server CPU per delivery', 'µs', cpuPerDelivery),
        figure('p99', 'ms', latencyOf(MEASURED, 'cold', 'p99Micros', 1000)),
        completeBar(
          NAME,
          `${name}: all delivered${mayOverload ? ', or announced' : ''}`,
          results.incomplete(NAME, name, RINGCAST),
          results.incomplete(NAME, name, UWS),
        ),
      ];
    });
  },
};
