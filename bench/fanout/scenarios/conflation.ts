// More comes in than subscribers can take: how old are the values that they hold?

import { clockMs } from '../../../dist/load/clock.js';
import { completeBar, maximumBar, plainFigure } from '../../support/bars.js';
import { Freshness } from '../../support/generator/freshness.js';
import { RINGCAST, type Scenario, type Size, secondsOf, UWS, type Variant, WS } from '../../support/scenario.js';
import { MEASURED, PAYLOAD_BYTES, range } from '../../support/shared.js';

const NAME = 'conflation';
const LATEST = 'latest';
const EVERY = 'every message';
const SOCKET_IO = 'socket-io';
const HELD = 'newest value held after, p99, ms';

const keysOf = (size: Size): number => (size.smoke ? 20 : 1000);
const perSecondOf = (size: Size): number => (size.smoke ? 1000 : 50_000);
/** Messages of a key begin to count when all subscribers have had one. */
const SETTLE_SECONDS = 1;

export const conflation: Scenario = {
  name: NAME,
  title:
    '500 subscribers of all 1,000 keys of a topic, 50,000 messages a second to the keys in turn; peers: 1,000 topics. Held after: from when a message was due until its subscriber had it or a newer one of its key',
  variants: (size) => {
    const variant = (name: string, peers: string[], peersOnRequest: string[]): Variant => ({
      ...{ name, peers, peersOnRequest },
      server: {
        ...{ topics: { hot: keysOf(size), cold: 0, isKeyed: true }, payloadBytes: PAYLOAD_BYTES },
        ...{ maxDelayMs: 'auto', topicsPerConnection: keysOf(size) },
        engine: { topics: [{ match: 'hot:*', home: 'hot', keyed: true }] },
      },
      connections: size.smoke ? 20 : 500,
      publishers: 1,
    });
    return [variant(LATEST, [RINGCAST], []), variant(EVERY, [UWS, RINGCAST], [WS, SOCKET_IO])];
  },
  async drive(load, { name, connections }, size) {
    const keys = range(0, keysOf(size));
    const perSecond = perSecondOf(size);
    const schedules = [{ firstTopic: 0, topicCount: keys.length, perSecond, burst: perSecond / 1000 }];
    await load.connect(connections);
    if (name === LATEST) load.dialect.reading = { mode: 'latest' };
    await load.subscribe(0, connections, () => keys);
    await load.steps('warm-up', [{ seconds: secondsOf(size, 8) / 4, schedules }], true);
    delete load.outcome.phases['warm-up'];
    const settleMs = size.smoke ? 100 : SETTLE_SECONDS * 1000;
    const freshness = new Freshness(connections, keys.length, perSecond, clockMs() + settleMs);
    load.beginRecording(freshness);
    await load.steps(MEASURED, [{ seconds: secondsOf(size, 8), schedules }], true);
    load.endRecording();
    const { figures } = load.outcome;
    figures['newest value held after, p50, ms'] = freshness.ages.quantileMicros(0.5) / 1000;
    figures[HELD] = freshness.ages.quantileMicros(0.99) / 1000;
    figures['newest value held after, max, ms'] = freshness.ages.quantileMicros(1) / 1000;
  },
  bars(results) {
    const held = (variant: string, peer: string) => results.spread(NAME, variant, peer, (run) => run.figures[HELD]);
    const bar = { scenario: NAME, unit: 'ms' };
    const latest = { ...bar, label: 'latest: newest value held after, p99', value: held(LATEST, RINGCAST) };
    return [
      { ...maximumBar(latest, 250), baseline: held(EVERY, UWS) },
      plainFigure({ ...bar, label: 'every message: the same', value: held(EVERY, RINGCAST) }, held(EVERY, UWS)),
      completeBar(
        NAME,
        'latest: all delivered, or announced as merged',
        results.incomplete(NAME, LATEST, RINGCAST),
        null,
      ),
    ];
  },
};
