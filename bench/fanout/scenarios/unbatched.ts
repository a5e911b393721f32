// Messages that come one by one, so that there is nothing to batch: what does a delivery cost by itself?

import { RINGCAST, type Scenario, secondsOf, UWS } from '../../support/scenario.js';
import { cpuBars, MEASURED, PAYLOAD_BYTES } from '../../support/shared.js';

const NAME = 'unbatched';
const VARIANT = 'even';

export const unbatched: Scenario = {
  name: NAME,
  title: '1 hot topic × 5,000 subscribers, 20 messages a second, evenly spaced',
  variants: (size) => [
    {
      name: VARIANT,
      peers: [UWS, RINGCAST],
      server: { topics: { hot: 1, cold: 0 }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 0 },
      connections: size.smoke ? 100 : 5000,
      publishers: 1,
    },
  ],
  async drive(load, variant, size) {
    const schedule = { firstTopic: 0, topicCount: 1, perSecond: 20, burst: 1 };
    await load.connect(variant.connections);
    await load.subscribe(0, variant.connections, () => [0]);
    await load.schedules('warm-up', secondsOf(size, 8) / 4, [schedule]);
    load.warmedUp('warm-up');
    await load.schedules(MEASURED, secondsOf(size, 8), [schedule]);
  },
  bars: (results) => cpuBars(results, NAME, VARIANT, 0.98),
};
