// The other thread of the doorbell benches: gives every record back, as a lane or as a thread with an event loop would.

import { workerData } from 'node:worker_threads';
import { Doorbell } from '../../../dist/ring/doorbell.js';
import { RING_FULL, RingReader, RingWriter } from '../../../dist/ring/ring.js';
import { type EchoData, STOP } from './doorbell-echo.js';

const SLEEP_MS = 1000;

const { requests, events, workerBell, mainBell, waits, port } = workerData as EchoData;
const reader = new RingReader(requests);
const writer = new RingWriter(events);
const own = new Doorbell(workerBell);
const other = new Doorbell(mainBell);
let isStopped = false;

function echo(): void {
  while (!isStopped && reader.next()) {
    if (reader.type === STOP) isStopped = true;
    if (writer.tryClaim(0) === RING_FULL) throw new Error('the ring back is full');
    writer.writeHeader(reader.type, 0, 0, 0, reader.request, 0, 0);
    writer.commit();
  }
  reader.release();
  if (writer.publish()) other.ring();
}

if (port !== null) {
  port.on('message', (number: number) => {
    if (number < 0) port.close();
    else port.postMessage(number);
  });
} else if (waits) {
  const isIdle = (): boolean => reader.isEmpty();
  while (!isStopped) {
    echo();
    if (!isStopped) own.wait(isIdle, SLEEP_MS);
  }
} else {
  own.listen(
    () => reader.isEmpty(),
    () => {
      echo();
      if (isStopped) own.close();
    },
  );
}
