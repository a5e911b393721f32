// Do subscribers that never read hurt the others, or the server's memory? The same load twice on the same server: everyone
// reads, then some have stopped reading.

import { completeBar, maximumBar, ratioBar } from '../../support/bars.js';
import { serverSocketBytes } from '../../support/kernel-sockets.js';
import { RINGCAST, type Scenario, type Size, secondsOf, UWS } from '../../support/scenario.js';
import { latencyOf, settledRssBytes } from '../../support/shared.js';

const NAME = 'slow';
const VARIANT = 'some stall';
const SLOW_PAYLOAD_BYTES = 1024;
const stalledCount = (size: Size): number => (size.smoke ? 5 : 100);

export const slow: Scenario = {
  name: NAME,
  title: '1 hot topic × 2,000 subscribers, 50 messages of 1 KiB a second; then 100 of them never read again',
  variants: (size) => [
    {
      name: VARIANT,
      peers: [RINGCAST],
      peersOnRequest: [UWS],
      server: { topics: { hot: 1, cold: 0 }, payloadBytes: SLOW_PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: size.smoke ? 50 : 2000,
      publishers: 1,
    },
  ],
  async drive(load, variant, size) {
    const schedule = { firstTopic: 0, topicCount: 1, perSecond: 50, burst: 1 };
    const stalled = stalledCount(size);
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
    load.outcome.figures['RSS growth per stalled connection, KiB'] = (afterBytes - beforeBytes) / 1024 / stalled;
  },
  bars(results) {
    const value = results.spread(NAME, VARIANT, RINGCAST, latencyOf('some stalled', 'hot', 'p99Micros', 1000));
    const baseline = results.spread(NAME, VARIANT, RINGCAST, latencyOf('all read', 'hot', 'p99Micros', 1000));
    const growth = results.spread(
      NAME,
      VARIANT,
      RINGCAST,
      (run) => run.figures['RSS growth per stalled connection, KiB'],
    );
    return [
      completeBar(NAME, 'the others get everything', results.incomplete(NAME, VARIANT, RINGCAST), null),
      ratioBar({ scenario: NAME, label: 'p99, against all reading', unit: 'ms', value }, baseline, 1.3),
      maximumBar({ scenario: NAME, label: 'RSS growth per stalled connection', unit: 'KiB', value: growth }, 64),
    ];
  },
};
