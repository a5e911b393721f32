// How many new clients does a server take in a second, and what do those who are there already notice of it?

import { completeBar, plainFigure } from '../../support/bars.js';
import { Storm } from '../../support/generator/storm.js';
import { RINGCAST, type Scenario, type Size, secondsOf, UWS, WS } from '../../support/scenario.js';
import { latencyOf, PAYLOAD_BYTES } from '../../support/shared.js';

const NAME = 'connect-storm';
const VARIANT = 'beside running topics';
const TOPICS = 100;
const CLIENTS = 500;
/** The newcomers' topic, to which nobody publishes. */
const QUIET_TOPIC = TOPICS;
const CONCURRENT = 200;
const STORM_SECONDS_MAX = 15;
const BESIDE_SECONDS_MAX = 40;
const PER_SECOND = 'new clients per second';

const newcomers = (size: Size): number => (size.smoke ? 100 : 5000);

export const connectStorm: Scenario = {
  name: NAME,
  title:
    '100 cold topics × 5 subscribers, 500 messages a second; then 5,000 clients connect and subscribe, 200 at a time',
  variants: (size) => [
    {
      name: VARIANT,
      peers: [UWS, RINGCAST],
      peersOnRequest: [WS],
      server: { topics: { hot: 0, cold: TOPICS + 1 }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: size.smoke ? TOPICS : CLIENTS,
      publishers: 1,
      companion: { connections: newcomers(size), publishers: 0 },
    },
  ],
  async drive(load, { connections }, size, companion) {
    const schedule = { firstTopic: 0, topicCount: TOPICS, perSecond: 500, burst: 1 };
    await load.connect(connections);
    await load.subscribe(0, connections, (client) => [client % TOPICS]);
    await companion.start();
    await load.schedules('warm-up', secondsOf(size, 6) / 3, [schedule]);
    load.warmedUp('warm-up');
    const before = await load.schedules('before', secondsOf(size, 6), [schedule]);
    companion.publish();
    const beside = await load.schedules('beside the storm', BESIDE_SECONDS_MAX, [schedule], () =>
      companion.join(load.outcome),
    );
    const { figures } = load.outcome;
    const usualMicros = before.serverCpuMicros * (beside.seconds / before.seconds);
    figures['server CPU per new client, µs'] = (beside.serverCpuMicros - usualMicros) / figures['new clients'];
  },
  async companion(load, { companion }, _size, told) {
    const { connections } = companion!;
    await told();
    const options = { connections, concurrent: CONCURRENT, topic: QUIET_TOPIC, secondsMax: STORM_SECONDS_MAX };
    const storm = new Storm(load, options);
    const { accepted, seconds, latency, problems } = await storm.run();
    const { figures } = load.outcome;
    figures['new clients'] = accepted;
    figures[PER_SECOND] = accepted / seconds;
    figures['connect to subscribed p50, ms'] = latency.quantileMicros(0.5) / 1000;
    figures['connect to subscribed p99, ms'] = latency.quantileMicros(0.99) / 1000;
    load.outcome.problems.push(...problems);
    if (accepted < connections) load.outcome.problems.push(`${accepted} of ${connections} new clients were served`);
    storm.end();
  },
  bars(results) {
    const figure = (label: string, unit: string, pick: Parameters<typeof results.spread>[3]) =>
      plainFigure(
        { scenario: NAME, label, unit, value: results.spread(NAME, VARIANT, RINGCAST, pick) },
        results.spread(NAME, VARIANT, UWS, pick),
      );
    return [
      figure('new clients', 'per s', (run) => run.figures[PER_SECOND]),
      figure('p99 of the others, before', 'ms', latencyOf('before', 'cold', 'p99Micros', 1000)),
      figure('p99 of the others, beside', 'ms', latencyOf('beside the storm', 'cold', 'p99Micros', 1000)),
      completeBar(
        NAME,
        'all delivered',
        results.incomplete(NAME, VARIANT, RINGCAST),
        results.incomplete(NAME, VARIANT, UWS),
      ),
    ];
  },
};
