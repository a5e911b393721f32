// A fast, even stream: 1 million deliveries a second. A server has to coalesce to survive it; uws-publish now and then
// does not (its own run says what it delivered).

import { completeBar, maximumBar } from '../../support/bars.js';
import { RINGCAST, type Scenario, secondsOf, UWS, type Variant } from '../../support/scenario.js';
import { latencyOf, MEASURED, PAYLOAD_BYTES } from '../../support/shared.js';

const NAME = 'stream';
const BASELINE = 'no delay';
const DELAY_5 = 'maxDelayMs 5';
const DELAY_20 = 'maxDelayMs 20';

export const stream: Scenario = {
  name: NAME,
  title: '1 hot topic × 500 subscribers, 2,000 messages a second, evenly spaced',
  variants(size) {
    const variant = (name: string, peers: string[], maxDelayMs: number | 'auto'): Variant => ({
      name,
      peers,
      server: { topics: { hot: 1, cold: 0 }, payloadBytes: PAYLOAD_BYTES, maxDelayMs },
      connections: size.smoke ? 20 : 500,
      publishers: 1,
    });
    return [variant(BASELINE, [UWS], 'auto'), variant(DELAY_5, [RINGCAST], 5), variant(DELAY_20, [RINGCAST], 20)];
  },
  async drive(load, variant, size) {
    const schedule = { firstTopic: 0, topicCount: 1, perSecond: size.smoke ? 500 : 2000, burst: 1 };
    await load.connect(variant.connections);
    await load.subscribe(0, variant.connections, () => [0]);
    await load.schedules('warm-up', secondsOf(size, 6) / 4, [schedule]);
    load.warmedUp('warm-up');
    await load.schedules(MEASURED, secondsOf(size, 6), [schedule]);
  },
  bars(results) {
    const cpu = (variant: string) =>
      results.spread(NAME, variant, RINGCAST, (run) => run.phases[MEASURED]?.serverCpuPercent);
    const p99 = results.spread(NAME, DELAY_5, RINGCAST, latencyOf(MEASURED, 'hot', 'p99Micros', 1000));
    const baselineWrong = results.incomplete(NAME, BASELINE, UWS);
    const bar = (label: string, unit: string, value: typeof p99) => ({ scenario: NAME, label, unit, value });
    return [
      completeBar(NAME, `${DELAY_5}: all delivered`, results.incomplete(NAME, DELAY_5, RINGCAST), baselineWrong),
      maximumBar(bar(`${DELAY_5}: p99`, 'ms', p99), 10),
      maximumBar(bar(`${DELAY_5}: server CPU`, '% of a core', cpu(DELAY_5)), 60),
      completeBar(NAME, `${DELAY_20}: all delivered`, results.incomplete(NAME, DELAY_20, RINGCAST), baselineWrong),
      maximumBar(bar(`${DELAY_20}: server CPU`, '% of a core', cpu(DELAY_20)), 20),
    ];
  },
};
