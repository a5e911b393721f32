// How far apart are the first and the last subscriber of a message, and are the same ones always last?

import { plainFigure } from '../../support/bars.js';
import { Recording } from '../../support/generator/recording.js';
import { RINGCAST, type Scenario, secondsOf, UWS, type Variant, WS } from '../../support/scenario.js';
import { addPoint } from '../../support/series.js';
import { MEASURED, PAYLOAD_BYTES } from '../../support/shared.js';
import { type Fairness, fairnessOf, ordersOf } from '../fairness.js';
import { quantile } from '../recovery.js';

const NAME = 'fairness';
const HOT = 'hot topic';
const COLD = 'cold topic';
const PLOT_POINTS = 100;
const SPREAD_P50 = 'first to last subscriber p50, ms';
const SPREAD_P99 = 'first to last subscriber p99, ms';
const CORRELATION = 'order of a message against the others: correlation';
const SAME_LAST = 'messages in which the same one is last, %';
const SAME_TENTH = 'messages in which the same one is among the last tenth, %';

export const fairness: Scenario = {
  name: NAME,
  title: '1 topic × 1,000 subscribers, 20 messages a second: who gets a message first, who last?',
  variants(size) {
    const variant = (name: string, peers: string[], hot: number): Variant => ({
      name,
      peers,
      server: { topics: { hot, cold: 1 - hot }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: size.smoke ? 50 : 1000,
      publishers: 1,
    });
    return [variant(HOT, [UWS, WS, RINGCAST], 1), variant(COLD, [RINGCAST], 0)];
  },
  async drive(load, { connections }, size) {
    const schedule = { firstTopic: 0, topicCount: 1, perSecond: 20, burst: 1 };
    const { outcome } = load;
    await load.connect(connections);
    await load.subscribe(0, connections, () => [0]);
    await load.schedules('warm-up', secondsOf(size, 8) / 4, [schedule]);
    load.warmedUp('warm-up');
    const recording = new Recording();
    load.beginRecording(recording);
    await load.schedules(MEASURED, secondsOf(size, 8), [schedule]);
    load.endRecording();
    const { orders, spreadsMs } = ordersOf(recording, connections);
    if (orders.length < 2) {
      outcome.problems.push(`${orders.length} messages came to all subscribers: nothing to compare`);
      return;
    }
    outcome.figures[SPREAD_P50] = quantile(spreadsMs, 0.5);
    outcome.figures[SPREAD_P99] = quantile(spreadsMs, 0.99);
    takeDown(outcome.figures, fairnessOf(orders));
    const meanPlaces = fairnessOf(orders).meanPlaces;
    const axes = [
      { label: 'subscriber, in the order of connecting', unit: '%' },
      { label: 'mean place (0 first, 100 last)', unit: '%' },
    ] as [{ label: string; unit: string }, { label: string; unit: string }];
    const step = Math.ceil(connections / PLOT_POINTS);
    for (let subscriber = 0; subscriber < connections; subscriber += step) {
      const place = meanPlaces[subscriber] * 100;
      addPoint(outcome, 'mean place by subscriber', axes, (subscriber / connections) * 100, place);
    }
  },
  bars(results) {
    const figures = [
      { figure: SPREAD_P50, unit: 'ms' },
      { figure: SPREAD_P99, unit: 'ms' },
      { figure: CORRELATION, unit: '' },
      { figure: SAME_LAST, unit: '%' },
      { figure: SAME_TENTH, unit: '%' },
    ];
    return figures.map(({ figure, unit }) => {
      const pick = (peer: string) => results.spread(NAME, HOT, peer, (run) => run.figures[figure]);
      const label = figure.replace(/, (ms|%)$/, '');
      return plainFigure({ scenario: NAME, label, unit, value: pick(RINGCAST) }, pick(UWS));
    });
  },
};

function takeDown(figures: Record<string, number>, found: Fairness): void {
  figures[CORRELATION] = found.meanCorrelation;
  figures['order of a message against the one before: correlation'] = found.successiveCorrelation;
  figures[SAME_LAST] = found.sameLastShare * 100;
  figures[SAME_TENTH] = found.sameLastTenthShare * 100;
  figures['mean place of the best placed subscriber, %'] = Math.min(...found.meanPlaces) * 100;
  figures['mean place of the worst placed subscriber, %'] = Math.max(...found.meanPlaces) * 100;
}
