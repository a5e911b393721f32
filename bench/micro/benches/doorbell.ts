// Doorbell: what it costs to ring, and the way to another thread and back.

import { allocateDoorbell, Doorbell } from '../../../dist/ring/doorbell.js';
import type { Group, Work } from '../bench.js';
import { PortEcho, RingEcho } from './doorbell-echo.js';

const BATCH = 64;
const PORT = 'round-trip/message-port';

/** The reader is awake: what every batch pays. */
function ringAwake(): Work {
  const bell = new Doorbell(allocateDoorbell());
  return {
    run(times: number): number {
      let awake = 0;
      for (let time = 0; time < times; time++) if (!bell.ring()) awake++;
      return awake;
    },
    expected: (times) => times,
  };
}

export const group: Group = {
  name: 'doorbell',
  title: 'ringing, and round trips to another thread; this one listens on its event loop',
  benches: [
    { kind: 'time', name: 'ring-awake', item: 'ring', items: 1, prepare: ringAwake },
    {
      ...{ kind: 'time', name: 'round-trip/worker-waits', item: 'record', items: 1, against: PORT, isThreaded: true },
      prepare: () => new RingEcho(true, 1),
    },
    {
      ...{ kind: 'time', name: 'round-trip/worker-listens', item: 'record', items: 1, against: PORT, isThreaded: true },
      prepare: () => new RingEcho(false, 1),
    },
    {
      ...{ kind: 'time', name: `round-trip/worker-waits/batch=${BATCH}`, item: 'record', items: BATCH },
      ...{ isThreaded: true, prepare: () => new RingEcho(true, BATCH) },
    },
    {
      ...{ kind: 'time', name: PORT, item: 'message', items: 1, isThreaded: true },
      prepare: () => new PortEcho(),
    },
  ],
};
