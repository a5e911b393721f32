// Bursts: messages published back to back should share their writes. Two sizes, on either side of uWS's cliff at 33
// messages per subscriber and turn of the event loop.

import { RINGCAST, type Scenario, secondsOf, UWS, WS } from '../../support/scenario.js';
import { cpuBars, MEASURED, PAYLOAD_BYTES, warmUp } from '../../support/shared.js';

const VARIANT = 'open loop';
const BURSTS_PER_SECOND = 4;

function burstScenario(name: string, burst: number, peers: string[], ratioMax: number): Scenario {
  return {
    name,
    title: `1 hot topic × 500 subscribers, ${burst} messages back to back, ${BURSTS_PER_SECOND} times a second`,
    variants: (size) => [
      {
        name: VARIANT,
        peers,
        server: { topics: { hot: 1, cold: 0 }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
        connections: size.smoke ? 50 : 500,
        publishers: 1,
      },
    ],
    async drive(load, variant, size) {
      const schedule = { firstTopic: 0, topicCount: 1, perSecond: burst * BURSTS_PER_SECOND, burst };
      await load.connect(variant.connections);
      await load.subscribe(0, variant.connections, () => [0]);
      await warmUp(load, size, (name, seconds) => load.closedLoop(name, seconds, 0, burst), schedule);
      await load.schedules(MEASURED, secondsOf(size, 16), [schedule]);
    },
    bars: (results) => cpuBars(results, name, VARIANT, ratioMax),
  };
}

export const burst = burstScenario('burst', 50, [UWS, RINGCAST], 0.08);
export const smallBurst = burstScenario('small-burst', 20, [UWS, WS, RINGCAST], 1.1);
