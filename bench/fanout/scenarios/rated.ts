// What does a rate cost? A stream is made once for all its subscribers: theirs should cost what a topic does that is published to so often.

import { completeBar, ratioBar } from '../../support/bars.js';
import type { Load } from '../../support/generator/load.js';
import { median } from '../../support/results.js';
import { RINGCAST, type Scenario, secondsOf, UWS } from '../../support/scenario.js';
import { PAYLOAD_BYTES } from '../../support/shared.js';

const NAME = 'rated';
const VARIANT = 'maxRate 5';
const RATE = 5;
const PER_SECOND = 1000;
/** Messages that a feed has at a time: that the thread wakes up for one is dearer than all else that is done for it. */
const BURST = 10;
const PAIRS = 3;
/** Numbers of the topics. */
const RATED = 0;
const PLAIN = 1;
const RATED_CPU = 'server CPU per delivery, rated, µs';
const PLAIN_CPU = 'server CPU per delivery, plain, µs';

export const rated: Scenario = {
  name: NAME,
  title: `5,000 subscribers of \`maxRate\` ${RATE} on a keyed topic with 1,000 messages a second, ${BURST} at a time, then the same ones on a topic with ${RATE}, in turn`,
  variants: (size) => [
    {
      name: VARIANT,
      peers: [UWS, RINGCAST],
      server: {
        ...{ topics: { hot: 1, cold: 1, isKeyed: true }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
        engine: {
          topics: [
            { match: 'hot:*', home: 'hot', keyed: true },
            { match: 'cold:*', home: 'hot' },
          ],
        },
      },
      connections: size.smoke ? 50 : 5000,
      publishers: 1,
    },
  ],
  async drive(load, { connections }, size) {
    const seconds = secondsOf(size, 4);
    const hasRates = load.options.peer === RINGCAST;
    await load.connect(connections);
    await load.subscribe(0, connections, () => [PLAIN]);
    if (hasRates) {
      load.dialect.reading = { maxRate: RATE };
      await load.subscribe(0, connections, () => [RATED]);
    }
    const costs: Record<string, number[]> = { [PLAIN_CPU]: [], [RATED_CPU]: [] };
    await publish(load, 'warm-up', seconds, PLAIN, RATE);
    if (hasRates) await publish(load, 'warm-up, rated', seconds, RATED, PER_SECOND);
    for (let pair = 1; pair <= PAIRS; pair++) {
      // One first, then the other: what changes with time meets both.
      const turns = [
        async () => costs[PLAIN_CPU].push(await publish(load, `plain ${pair}`, seconds, PLAIN, RATE)),
        async () => hasRates && costs[RATED_CPU].push(await publish(load, `rated ${pair}`, seconds, RATED, PER_SECOND)),
      ];
      for (const turn of pair % 2 === 0 ? turns.reverse() : turns) await turn();
    }
    for (const [name, values] of Object.entries(costs))
      if (values.length > 0) load.outcome.figures[name] = median(values);
  },
  bars(results) {
    const cost = (peer: string, figure: string) => results.spread(NAME, VARIANT, peer, (run) => run.figures[figure]);
    const bar = { scenario: NAME, unit: 'µs' };
    return [
      ratioBar(
        { ...bar, label: 'server CPU per delivery, against a topic with 5 msg/s', value: cost(RINGCAST, RATED_CPU) },
        cost(RINGCAST, PLAIN_CPU),
        1.1,
      ),
      completeBar(NAME, 'all delivered, or announced as merged', results.incomplete(NAME, VARIANT, RINGCAST), null),
    ];
  },
};

/** Returns the server's CPU per delivery. */
async function publish(load: Load, name: string, seconds: number, topic: number, perSecond: number): Promise<number> {
  const burst = topic === RATED ? BURST : 1;
  const schedules = [{ firstTopic: topic, topicCount: 1, perSecond, burst }];
  // What a rate leaves out is announced, as what an overload skips is.
  const phase = await load.steps(name, [{ seconds, schedules }], topic === RATED);
  if (name.startsWith('warm-up')) delete load.outcome.phases[name];
  return phase.cpuMicrosPerDelivery ?? Number.NaN;
}
