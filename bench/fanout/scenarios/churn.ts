// Clients come and go beside running traffic: what do those notice who stay?

import { clockMs } from '../../../dist/load/clock.js';
import { BinaryPayload } from '../../../dist/load/payload.js';
import { completeBar, plainFigure } from '../../support/bars.js';
import { Churners } from '../../support/generator/churners.js';
import { RINGCAST, type Scenario, type Size, secondsOf, UWS, WS } from '../../support/scenario.js';
import { latencyOf, PAYLOAD_BYTES, seededRandom } from '../../support/shared.js';

const NAME = 'churn';
const VARIANT = '500 changes a second';
const SEED = 20261121;
const TOPICS = 50;
const STABLE = 500;
const RESTLESS = 200;
const CHANGES_PER_SECOND = 500;
/** The changes go on until the traffic beside them has ended for certain. */
const MARGIN_SECONDS = 0.5;

const besideSeconds = (size: Size): number => secondsOf(size, 8);
const changesPerSecond = (size: Size): number => (size.smoke ? 100 : CHANGES_PER_SECOND);

export const churn: Scenario = {
  name: NAME,
  title: `50 cold topics × 10 stable subscribers, 1,000 messages a second; 200 others subscribe, unsubscribe and reconnect, 500 changes a second (seed ${SEED})`,
  variants: (size) => [
    {
      name: VARIANT,
      peers: [UWS, RINGCAST],
      peersOnRequest: [WS],
      server: { topics: { hot: 0, cold: TOPICS }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: size.smoke ? TOPICS : STABLE,
      publishers: 1,
      companion: { connections: size.smoke ? 20 : RESTLESS, publishers: 0 },
    },
  ],
  async drive(load, { connections }, size, companion) {
    const schedule = { firstTopic: 0, topicCount: TOPICS, perSecond: size.smoke ? 200 : 1000, burst: 1 };
    await load.connect(connections);
    await load.subscribe(0, connections, (client) => [client % TOPICS]);
    await companion.start();
    await load.schedules('warm-up', secondsOf(size, 8) / 4, [schedule]);
    load.warmedUp('warm-up');
    await load.schedules('before', besideSeconds(size), [schedule]);
    companion.publish();
    await load.schedules('beside the changes', besideSeconds(size), [schedule]);
    await companion.join(load.outcome);
  },
  async companion(load, { companion }, size, told) {
    const { figures, problems } = load.outcome;
    const churners = new Churners(load, new BinaryPayload(), TOPICS, seededRandom(SEED));
    await churners.start(companion!.connections);
    await told();
    const startMs = clockMs();
    const endMs = startMs + (besideSeconds(size) + MARGIN_SECONDS) * 1000;
    await churners.churn(changesPerSecond(size), () => clockMs() > endMs);
    const seconds = (clockMs() - startMs) / 1000;
    const { subscribed, unsubscribed, reconnected, deliveries } = churners.counts;
    figures['subscriptions per second'] = subscribed / seconds;
    figures['unsubscriptions per second'] = unsubscribed / seconds;
    figures['reconnections per second'] = reconnected / seconds;
    figures['deliveries to those who come and go'] = deliveries;
    figures['answer to a subscription p50, ms'] = churners.latency.quantileMicros(0.5) / 1000;
    figures['answer to a subscription p99, ms'] = churners.latency.quantileMicros(0.99) / 1000;
    problems.push(...churners.problems);
    churners.end();
  },
  bars(results) {
    const figure = (label: string, unit: string, pick: Parameters<typeof results.spread>[3]) =>
      plainFigure(
        { scenario: NAME, label, unit, value: results.spread(NAME, VARIANT, RINGCAST, pick) },
        results.spread(NAME, VARIANT, UWS, pick),
      );
    return [
      figure('p99 of those who stay, before', 'ms', latencyOf('before', 'cold', 'p99Micros', 1000)),
      figure('p99 of those who stay, beside', 'ms', latencyOf('beside the changes', 'cold', 'p99Micros', 1000)),
      figure('server CPU, before', '% of a core', (run) => run.phases.before?.serverCpuPercent),
      figure('server CPU, beside', '% of a core', (run) => run.phases['beside the changes']?.serverCpuPercent),
      completeBar(
        NAME,
        'all delivered',
        results.incomplete(NAME, VARIANT, RINGCAST),
        results.incomplete(NAME, VARIANT, UWS),
      ),
    ];
  },
};
