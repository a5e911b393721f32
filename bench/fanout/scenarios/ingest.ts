// How fast does a feed get its messages into a lane?

import { minimumBar } from '../../support/bars.js';
import { RINGCAST, type Scenario, secondsOf } from '../../support/scenario.js';
import { MEASURED, PAYLOAD_BYTES } from '../../support/shared.js';

const NAME = 'ingest';
const VARIANT = 'into a lane';
const FRAMES_PER_MESSAGE = 100;
const PER_SECOND = 'messages per second';

export const ingest: Scenario = {
  name: NAME,
  title:
    '1 publisher, no subscribers, 100 PUBLISH frames per message, the last one of each acknowledged, at most 64 messages unanswered',
  variants: () => [
    {
      name: VARIANT,
      peers: [RINGCAST],
      server: { topics: { hot: 1, cold: 0 }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' },
      connections: 0,
      publishers: 1,
    },
  ],
  async drive(load, _variant, size) {
    await load.flood('warm-up', secondsOf(size, 4) / 4, 0, FRAMES_PER_MESSAGE);
    load.warmedUp('warm-up');
    load.outcome.figures[PER_SECOND] = await load.flood(MEASURED, secondsOf(size, 4), 0, FRAMES_PER_MESSAGE);
    const { published, serverCpuMicros } = load.outcome.phases[MEASURED];
    load.outcome.figures['server CPU per message, µs'] = serverCpuMicros / published;
  },
  bars(results) {
    const value = results.spread(NAME, VARIANT, RINGCAST, (run) => run.figures[PER_SECOND]);
    return [minimumBar({ scenario: NAME, label: 'accepted', unit: 'msg/s', value }, 400_000)];
  },
};
