// What does it gain to let messages wait a little, and what does it cost?

import { completeBar, plainFigure } from '../../support/bars.js';
import { RINGCAST, type Scenario, type Size, secondsOf, UWS, type Variant } from '../../support/scenario.js';
import { addPoint, addSweepPoints, CPU } from '../../support/series.js';
import { latencyOf, MEASURED, PAYLOAD_BYTES } from '../../support/shared.js';

const NAME = 'coalescing';
const BASELINE = 'no delay';
const DELAYS_MS = [0, 1, 5, 20, 100];
const SMOKE_DELAYS_MS = [0, 20];

const delayName = (delayMs: number): string => `maxDelayMs ${delayMs}`;
const delaysMs = (size: Size): number[] => (size.smoke ? SMOKE_DELAYS_MS : DELAYS_MS);

export const coalescing: Scenario = {
  name: NAME,
  title: '1 hot topic × 500 subscribers, 500 messages a second, evenly spaced; maxDelayMs 0, 1, 5, 20, 100',
  variants(size) {
    const variant = (name: string, peer: string, maxDelayMs: number | 'auto'): Variant => ({
      name,
      peers: [peer],
      server: { topics: { hot: 1, cold: 0 }, payloadBytes: PAYLOAD_BYTES, maxDelayMs },
      connections: size.smoke ? 20 : 500,
      publishers: 1,
    });
    const ringcast = delaysMs(size).map((delayMs) => variant(delayName(delayMs), RINGCAST, delayMs));
    return [variant(BASELINE, UWS, 'auto'), ...ringcast];
  },
  async drive(load, { connections, server }, size) {
    const schedule = { firstTopic: 0, topicCount: 1, perSecond: 500, burst: 1 };
    await load.connect(connections);
    await load.subscribe(0, connections, () => [0]);
    await load.schedules('warm-up', secondsOf(size, 5) / 2, [schedule]);
    load.warmedUp('warm-up');
    const phase = await load.schedules(MEASURED, secondsOf(size, 5), [schedule]);
    const { outcome } = load;
    const delayMs = server.maxDelayMs === 'auto' ? 0 : server.maxDelayMs;
    addSweepPoints(outcome, 'maxDelayMs', { label: 'maxDelayMs', unit: 'ms' }, delayMs, phase, 'hot');
    const p99Ms = (phase.latency.hot?.p99Micros ?? Number.NaN) / 1000;
    const latency = { label: 'latency p99', unit: 'ms', log: true };
    addPoint(outcome, 'CPU against latency', [latency, CPU], p99Ms, phase.serverCpuPercent);
  },
  bars(results) {
    const cpu = (variant: string, peer: string) =>
      results.spread(NAME, variant, peer, (run) => run.phases[MEASURED]?.serverCpuPercent);
    const p99 = (variant: string, peer: string) =>
      results.spread(NAME, variant, peer, latencyOf(MEASURED, 'hot', 'p99Micros', 1000));
    const wrong = DELAYS_MS.map((delayMs) => results.incomplete(NAME, delayName(delayMs), RINGCAST)).filter(
      (count) => count !== null,
    );
    const all = wrong.length === 0 ? null : wrong.reduce((sum, count) => sum + count);
    return [
      ...DELAYS_MS.flatMap((delayMs) => {
        const bar = (figure: string, unit: string, pick: typeof cpu) =>
          plainFigure(
            {
              scenario: NAME,
              label: `${delayName(delayMs)}: ${figure}`,
              unit,
              value: pick(delayName(delayMs), RINGCAST),
            },
            pick(BASELINE, UWS),
          );
        return [bar('server CPU', '% of a core', cpu), bar('p99', 'ms', p99)];
      }),
      completeBar(NAME, 'all delivered', all, results.incomplete(NAME, BASELINE, UWS)),
    ];
  },
};
