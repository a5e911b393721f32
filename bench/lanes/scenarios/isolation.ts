// Does a cold topic wait for a hot one when nobody has said which will be hot? The traffic of the fan-out suite's scenario of
// the same name: once with the hot topic pinned to the lane, once left to the engine.

import { sleep } from '../../../dist/load/clock.js';
import { isolation as fanoutIsolation } from '../../fanout/scenarios/isolation.js';
import { completeBar, plainFigure, ratioBar } from '../../support/bars.js';
import { RINGCAST_LANES, type Scenario, type Size, secondsOf, type Variant } from '../../support/scenario.js';
import { latencyOf, PAYLOAD_BYTES } from '../../support/shared.js';

const NAME = 'isolation';
const PINNED = 'pinned';
const AUTO = 'left to the engine';
const COLD_TOPICS = 100;
const HOT_TOPIC = 0;
const PROMOTED_AFTER = 'promoted after, ms';
const GIVE_UP_MS = 10_000;

/** Within so long of the topic turning hot, cold topics must be as fast as beside a pinned one. */
const settleSeconds = (size: Size): number => (size.smoke ? 0.2 : 2);

export const isolation: Scenario = {
  name: NAME,
  title:
    '100 cold topics, 500 messages a second in all, beside 1 topic × 10,000 subscribers × 10/s, from 2 s after its start',
  variants(size) {
    const variant = (name: string, engine: Variant['server']['engine']): Variant => ({
      name,
      peers: [RINGCAST_LANES],
      server: { topics: { hot: 1, cold: COLD_TOPICS }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto', engine },
      connections: COLD_TOPICS,
      publishers: 1,
      companion: { connections: size.smoke ? 200 : 10_000, publishers: 1 },
    });
    const soon = size.smoke ? { hot: { promoteDeliveriesPerSecond: 100, promoteAfterMs: 0 } } : {};
    return [variant(PINNED, { lanes: 1, topics: [{ match: 'hot:*', home: 0 }] }), variant(AUTO, { lanes: 1, ...soon })];
  },
  async drive(load, variant, size, companion) {
    const cold = { firstTopic: 1, topicCount: COLD_TOPICS, perSecond: 500, burst: 1 };
    await load.connect(COLD_TOPICS);
    await load.subscribe(0, COLD_TOPICS, (connection) => [1 + connection]);
    await companion.start();
    await load.schedules('warm-up', secondsOf(size, 8) / 4, [cold]);
    load.warmedUp('warm-up');
    companion.publish();
    const settled = sleep(settleSeconds(size) * 1000);
    if (variant.name === AUTO) {
      const { atMs, doneMs } = await load.order({ kind: 'await-lane', topic: HOT_TOPIC, giveUpMs: GIVE_UP_MS });
      load.outcome.figures[PROMOTED_AFTER] = doneMs - atMs;
    }
    await settled;
    await load.schedules('beside', secondsOf(size, 8), [cold]);
    await companion.join(load.outcome);
  },
  companion: (load, variant, size, told) => fanoutIsolation.companion!(load, variant, size, told),
  bars(results) {
    const p99 = (variant: string) =>
      results.spread(NAME, variant, RINGCAST_LANES, latencyOf('beside', 'cold', 'p99Micros', 1000));
    const bar = {
      scenario: NAME,
      label: 'cold p99 beside the hot topic, against pinned',
      unit: 'ms',
      value: p99(AUTO),
    };
    const promoted = results.spread(NAME, AUTO, RINGCAST_LANES, (run) => run.figures[PROMOTED_AFTER]);
    return [
      ratioBar(bar, p99(PINNED), 1.5),
      plainFigure({ scenario: NAME, label: 'promoted after', unit: 'ms', value: promoted }, null),
      completeBar(
        NAME,
        'all delivered, hot and cold',
        results.incomplete(NAME, AUTO, RINGCAST_LANES),
        results.incomplete(NAME, PINNED, RINGCAST_LANES),
      ),
    ];
  },
};
