// Many topics per client: a client's messages come from many topics and should still share its writes.

import { RINGCAST, type Scenario, type Size, secondsOf, UWS } from '../../support/scenario.js';
import { cpuBars, MEASURED, PAYLOAD_BYTES, range, seededRandom } from '../../support/shared.js';

const NAME = 'watchlist';
const VARIANT = 'maxDelayMs 5';
const SEED = 20261120;

const topicCount = (size: Size): number => (size.smoke ? 50 : 500);
const perClient = (size: Size): number => (size.smoke ? 10 : 100);

export const watchlist: Scenario = {
  name: NAME,
  title: `500 clients × 100 of 500 cold topics (seed ${SEED}), 2,500 messages a second in`,
  variants: (size) => [
    {
      name: VARIANT,
      peers: [UWS, RINGCAST],
      server: {
        topics: { hot: 0, cold: topicCount(size) },
        payloadBytes: PAYLOAD_BYTES,
        topicsPerConnection: perClient(size),
        maxDelayMs: 5,
      },
      connections: size.smoke ? 20 : 500,
      publishers: 1,
    },
  ],
  async drive(load, variant, size) {
    const random = seededRandom(SEED);
    const schedule = { firstTopic: 0, topicCount: topicCount(size), perSecond: size.smoke ? 500 : 2500, burst: 1 };
    await load.connect(variant.connections);
    await load.subscribe(0, variant.connections, () => {
      const topics = range(0, topicCount(size));
      for (let index = 0; index < perClient(size); index++) {
        const other = index + Math.floor(random() * (topics.length - index));
        [topics[index], topics[other]] = [topics[other], topics[index]];
      }
      return topics.slice(0, perClient(size));
    });
    await load.schedules('warm-up', secondsOf(size, 8) / 4, [schedule]);
    load.warmedUp('warm-up');
    await load.schedules(MEASURED, secondsOf(size, 8), [schedule]);
  },
  bars: (results) => cpuBars(results, NAME, VARIANT, 0.25),
};
