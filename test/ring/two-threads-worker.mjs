// The far side of two-threads.test.ts: checks the requests, answers each with a record of its own, reports at the end.

import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell } from '#src/ring/doorbell.js';
import { RingReader, RingWriter } from '#src/ring/ring.js';
import { dawdle, RecordCheck, RecordSource } from './stress-records.mjs';

// Out of reach: a lost wake-up is a hang, which the test's time-out shows.
const WAIT_MS = 600_000;

const { requests, replies, workerBell, mainBell, seed, records, payloadMaxBytes } = workerData;
const reader = new RingReader(requests);
const writer = new RingWriter(replies);
const doorbell = new Doorbell(workerBell);
const peer = new Doorbell(mainBell);
const check = new RecordCheck(seed, payloadMaxBytes);
const source = new RecordSource(seed ^ 1, payloadMaxBytes);

let waits = 0;
let fullCount = 0;
const isIdle = () => reader.isEmpty();
const isFull = () => writer.fillPercent() > 50;

function show() {
  if (writer.publish()) peer.ring();
}

while (check.count < records) {
  for (let batch = 0; batch < 100 && reader.next(); batch++) {
    check.read(reader);
    if (check.count % 5_003 === 0) dawdle(500);
    while (!source.write(writer)) {
      fullCount++;
      show();
      doorbell.wait(isFull, WAIT_MS);
    }
  }
  reader.release();
  show();
  if (check.count < records && reader.isEmpty()) {
    waits++;
    doorbell.wait(isIdle, WAIT_MS);
  }
}
parentPort.postMessage({ records: check.count, waits, fullCount });
