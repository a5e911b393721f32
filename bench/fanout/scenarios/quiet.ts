// What does a message cost in time when nothing else happens?

import { ratioBar } from '../../support/bars.js';
import { RINGCAST, type Scenario, secondsOf, UWS, type Variant, WS } from '../../support/scenario.js';
import { latencyOf, MEASURED, PAYLOAD_BYTES, warmUp } from '../../support/shared.js';

const NAME = 'quiet';
const COLD = 'cold topic';
const HOT = 'hot topic';

export const quiet: Scenario = {
  name: NAME,
  title: '1 publisher at 200 messages a second, 1 subscriber, nothing else',
  variants() {
    const variant = (name: string, peers: string[], hot: number): Variant => ({
      name,
      peers,
      server: { topics: { hot, cold: 1 - hot }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: 1,
      publishers: 1,
    });
    return [variant(COLD, [UWS, WS, RINGCAST], 0), variant(HOT, [RINGCAST], 1)];
  },
  async drive(load, _variant, size) {
    const schedule = { firstTopic: 0, topicCount: 1, perSecond: 200, burst: 1 };
    await load.connect(1);
    await load.subscribe(0, 1, () => [0]);
    const brisk = { ...schedule, perSecond: 5000 };
    await warmUp(load, size, (name, seconds) => load.schedules(name, seconds, [brisk]), schedule);
    await load.schedules(MEASURED, secondsOf(size, 6), [schedule]);
  },
  bars(results) {
    const baseline = results.spread(NAME, COLD, UWS, latencyOf(MEASURED, 'cold', 'p50Micros'));
    const cold = results.spread(NAME, COLD, RINGCAST, latencyOf(MEASURED, 'cold', 'p50Micros'));
    const hot = results.spread(NAME, HOT, RINGCAST, latencyOf(MEASURED, 'hot', 'p50Micros'));
    return [
      ratioBar({ scenario: NAME, label: 'p50, cold topic', unit: 'µs', value: cold }, baseline, 2),
      ratioBar({ scenario: NAME, label: 'p50, hot topic', unit: 'µs', value: hot }, baseline, 4),
    ];
  },
};
