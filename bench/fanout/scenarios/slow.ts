// Do subscribers that never read hurt the others, or the server's memory? The same load twice on the same server: everyone
// reads, then some have stopped reading.

import { completeBar, maximumBar, ratioBar } from '../../support/bars.js';
import { serverSocketBytes } from '../../support/kernel-sockets.js';
import { RINGCAST, type Scenario, secondsOf, UWS } from '../../support/scenario.js';
import { latencyOf, settledRssBytes } from '../../support/shared.js';

const NAME = 'slow';
const SLOW_PAYLOAD_BYTES = 1024;
/** Part of the subscribers that stall, and how much slower the others may become. */
const VARIANTS = [
  { name: '5 % stall', part: 0.05, ratioMax: 1.2 },
  { name: '50 % stall', part: 0.5, ratioMax: 1.3 },
];
const GROWTH = 'RSS growth per stalled connection, KiB';

export const slow: Scenario = {
  name: NAME,
  title: '1 hot topic × 2,000 subscribers, 50 messages of 1 KiB a second; then a part of them never read again',
  variants: (size) =>
    VARIANTS.map(({ name }) => ({
      name,
      peers: [RINGCAST],
      peersOnRequest: [UWS],
      server: { topics: { hot: 1, cold: 0 }, payloadBytes: SLOW_PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: size.smoke ? 60 : 2000,
      publishers: 1,
    })),
  async drive(load, variant, size) {
    const schedule = { firstTopic: 0, topicCount: 1, perSecond: 50, burst: 1 };
    const part = VARIANTS.find(({ name }) => name === variant.name)?.part ?? 0;
    const stalled = Math.round(variant.connections * part);
    await load.connect(variant.connections);
    await load.subscribe(0, variant.connections, () => [0]);
    await load.schedules('warm-up', secondsOf(size, 30) / 15, [schedule]);
    load.warmedUp('warm-up');
    await load.schedules('all read', secondsOf(size, 30), [schedule]);
    const beforeBytes = await settledRssBytes(load, size);
    load.stall(variant.connections - stalled, stalled);
    await load.schedules('some stalled', secondsOf(size, 30), [schedule]);
    const socketBytes = await serverSocketBytes(load.options.port);
    if (socketBytes !== null) {
      load.outcome.figures['kernel buffers of the server’s sockets per stalled connection, KiB'] =
        socketBytes / 1024 / stalled;
    }
    const afterBytes = await settledRssBytes(load, size);
    load.outcome.figures[GROWTH] = (afterBytes - beforeBytes) / 1024 / stalled;
  },
  bars(results) {
    return VARIANTS.flatMap(({ name, ratioMax }) => {
      const value = results.spread(NAME, name, RINGCAST, latencyOf('some stalled', 'hot', 'p99Micros', 1000));
      const baseline = results.spread(NAME, name, RINGCAST, latencyOf('all read', 'hot', 'p99Micros', 1000));
      const growth = results.spread(NAME, name, RINGCAST, (run) => run.figures[GROWTH]);
      const bar = (label: string, unit: string) => ({ scenario: NAME, label: `${name}: ${label}`, unit });
      return [
        completeBar(NAME, `${name}: the others get everything`, results.incomplete(NAME, name, RINGCAST), null),
        ratioBar({ ...bar('p99, against all reading', 'ms'), value }, baseline, ratioMax),
        maximumBar({ ...bar('RSS growth per stalled connection', 'KiB'), value: growth }, 96),
      ];
    });
  },
};
