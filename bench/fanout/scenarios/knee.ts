// Where does latency bend upwards, what happens beyond, and how long does a server need to be itself again?

import { plainFigure } from '../../support/bars.js';
import type { Load, Schedule } from '../../support/generator/load.js';
import { Recording } from '../../support/generator/recording.js';
import type { Phase } from '../../support/results.js';
import { RINGCAST, type Scenario, type Size, secondsOf, UWS, WS } from '../../support/scenario.js';
import { addPoint, addSweepPoints, DELIVERED, OFFERED } from '../../support/series.js';
import { latencyOf, PAYLOAD_BYTES } from '../../support/shared.js';
import { recoveredAfterMs } from '../recovery.js';

const NAME = 'knee';
const VARIANT = 'in steps';
const IN_FLIGHT = 4;
const STEPS_PERCENT = [10, 25, 50, 75, 90, 100, 110, 125, 150];
const LIGHT_PERCENT = 25;
const HEAVY_PERCENT = 150;
const SATURATION = 'saturation, deliveries/s';
const RECOVERY = `back within 2 × of the latency at ${LIGHT_PERCENT} %, ms after the overload`;
/** One of so many connections is looked at for the recovery. */
const RECORDED_STRIDE = 10;
const WINDOW_MS = 100;

const stepName = (percent: number): string => `${percent} %`;
const stepsOf = (size: Size): number[] => (size.smoke ? [LIGHT_PERCENT, HEAVY_PERCENT] : STEPS_PERCENT);
const recoverySeconds = (size: Size): number => (size.smoke ? 1 : 12);

export const knee: Scenario = {
  name: NAME,
  title:
    '1 hot topic × 2,000 subscribers: saturation by closed loop (4 in flight), then 10, 25, 50, 75, 90, 100, 110, 125 and 150 % of it, 4 s each, then 25 % again',
  variants: (size) => [
    {
      name: VARIANT,
      peers: [UWS, RINGCAST],
      peersOnRequest: [WS],
      server: { topics: { hot: 1, cold: 0 }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: size.smoke ? 50 : 2000,
      publishers: 1,
    },
  ],
  async drive(load, { connections }, size) {
    await load.connect(connections);
    await load.subscribe(0, connections, () => [0]);
    await load.closedLoop('warm-up', secondsOf(size, 4) / 2, 0, IN_FLIGHT);
    load.warmedUp('warm-up');
    const saturated = await load.closedLoop('saturation', secondsOf(size, 4), 0, IN_FLIGHT);
    const saturation = saturated.deliveriesPerSecond;
    load.outcome.figures[SATURATION] = saturation;
    const schedule = (percent: number): Schedule => ({
      firstTopic: 0,
      topicCount: 1,
      perSecond: ((saturation / connections) * percent) / 100,
      burst: 1,
    });
    for (const percent of stepsOf(size)) {
      const steps = [{ seconds: secondsOf(size, 4), schedules: [schedule(percent)] }];
      const phase = await load.steps(stepName(percent), steps, percent >= 100);
      takeDown(load, (saturation * percent) / 100, percent, phase);
    }
    await recover(load, size, schedule);
  },
  bars(results) {
    const figure = (label: string, unit: string, pick: Parameters<typeof results.spread>[3]) =>
      plainFigure(
        { scenario: NAME, label, unit, value: results.spread(NAME, VARIANT, RINGCAST, pick) },
        results.spread(NAME, VARIANT, UWS, pick),
      );
    return [
      figure('saturation', 'deliveries/s', (run) => run.figures[SATURATION]),
      ...[50, 90].map((percent) =>
        figure(`p99 at ${percent} % of it`, 'ms', latencyOf(stepName(percent), 'hot', 'p99Micros', 1000)),
      ),
      figure(`delivered at ${HEAVY_PERCENT} %`, 'deliveries/s', (run) => {
        return run.phases[stepName(HEAVY_PERCENT)]?.deliveriesPerSecond;
      }),
      figure('recovery', 'ms', (run) => run.figures[RECOVERY]),
    ];
  },
};

function takeDown({ outcome }: Load, offered: number, percent: number, phase: Phase): void {
  addSweepPoints(outcome, 'load', OFFERED, offered, phase, 'hot');
  addPoint(outcome, 'deliveries by load', [OFFERED, DELIVERED], offered, phase.deliveriesPerSecond);
  const share = { label: 'load', unit: '% of saturation' };
  const latency = { label: 'latency p99', unit: 'ms', log: true };
  const p99Micros = phase.latency.hot?.p99Micros ?? Number.NaN;
  addPoint(outcome, 'latency p99 by share of saturation', [share, latency], percent, p99Micros / 1000);
  const rate = { label: 'delivered', unit: 'deliveries/s' };
  addPoint(
    outcome,
    'CPU by rate',
    [rate, outcome.series!['CPU by load'].y],
    phase.deliveriesPerSecond,
    phase.serverCpuPercent,
  );
}

/** Overload, and without a rest the light load: until its latency is what it was before. */
async function recover(load: Load, size: Size, schedule: (percent: number) => Schedule): Promise<void> {
  const recording = new Recording(RECORDED_STRIDE);
  const overload = { seconds: secondsOf(size, 4), schedules: [schedule(HEAVY_PERCENT)] };
  const light = { seconds: recoverySeconds(size), schedules: [schedule(LIGHT_PERCENT)] };
  const limitMs = (2 * load.outcome.phases[stepName(LIGHT_PERCENT)].latency.hot!.p99Micros) / 1000;
  load.beginRecording(recording);
  await load.steps(`${HEAVY_PERCENT} %, then ${LIGHT_PERCENT} %`, [overload, light], true);
  load.endRecording();
  const { count, sentMs, arrivedMs } = recording;
  const latencies = { count, sentMs, latencyMs: (index: number) => arrivedMs[index] - sentMs[index] };
  const overloadEndMs = sentMs.subarray(0, count).reduce((first, ms) => Math.min(first, ms)) + overload.seconds * 1000;
  const afterMs = recoveredAfterMs(latencies, overloadEndMs, {
    windowMs: WINDOW_MS,
    windows: 5,
    quantile: 0.99,
    limitMs,
  });
  if (afterMs !== null) load.outcome.figures[RECOVERY] = afterMs;
  else load.outcome.figures[`NOT ${RECOVERY.replace(', ms after', ' within so many s after')}`] = light.seconds;
}
