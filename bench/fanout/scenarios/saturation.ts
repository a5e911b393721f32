// How many deliveries does the server make when it is never idle?

import { RINGCAST, type Scenario, secondsOf, UWS, WS } from '../../support/scenario.js';
import { cpuBars, MEASURED, PAYLOAD_BYTES } from '../../support/shared.js';

const NAME = 'saturation';
const VARIANT = 'closed loop';
const IN_FLIGHT = 4;

export const saturation: Scenario = {
  name: NAME,
  title: '1 hot topic × 5,000 subscribers, 4 messages in flight: the next goes out when all have the oldest',
  variants: (size) => [
    {
      name: VARIANT,
      peers: [UWS, WS, RINGCAST],
      server: { topics: { hot: 1, cold: 0 }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: size.smoke ? 100 : 5000,
      publishers: 1,
    },
  ],
  async drive(load, variant, size) {
    await load.connect(variant.connections);
    await load.subscribe(0, variant.connections, () => [0]);
    await load.closedLoop('warm-up', secondsOf(size, 6) / 3, 0, IN_FLIGHT);
    load.warmedUp('warm-up');
    await load.closedLoop(MEASURED, secondsOf(size, 6), 0, IN_FLIGHT);
  },
  bars: (results) => cpuBars(results, NAME, VARIANT, 0.95),
};
