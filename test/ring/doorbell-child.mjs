// Run by doorbell.test.ts in a process of its own, because what is tested is whether the process lives, ends or
// allocates.

import { getHeapSpaceStatistics } from 'node:v8';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { allocateDoorbell, Doorbell } from '#src/ring/doorbell.js';
import { allocateRing, RingReader, RingWriter } from '#src/ring/ring.js';

const RINGS = 50;

function send(writer, doorbell) {
  writer.tryClaim(8);
  writer.writeHeader(1, 0, 0, 0, 0, 0, 0);
  writer.commit();
  writer.publish();
  doorbell?.ring();
}

/** An unref'd worker sends one record after each answer: between two of them the main thread has nothing to do. */
function idle() {
  const memory = { ring: allocateRing(1024), here: allocateDoorbell(), there: allocateDoorbell() };
  const reader = new RingReader(memory.ring);
  const here = new Doorbell(memory.here);
  const there = new Doorbell(memory.there);
  let rung = 0;
  here.listen(
    () => reader.isEmpty(),
    () => {
      while (reader.next()) rung++;
      reader.release();
      if (rung < RINGS) return there.ring();
      console.log(`rung ${rung}, rescued ${here.rescueCount}`);
      here.close();
    },
  );
  new Worker(new URL(import.meta.url), { workerData: memory }).unref();
}

function idleWorker() {
  const writer = new RingWriter(workerData.ring);
  const here = new Doorbell(workerData.there);
  const there = new Doorbell(workerData.here);
  for (let i = 0; i < RINGS; i++) {
    send(writer, there);
    // Without a time-out in reach: a lost wake-up would be a hang.
    here.wait(() => writer.fillPercent() > 0, 600_000);
  }
}

function throwing() {
  let thrown = 0;
  let rung = 0;
  process.on('unhandledRejection', () => thrown++);
  const memory = allocateDoorbell();
  const reader = new Doorbell(memory);
  const writer = new Doorbell(memory);
  reader.listen(
    () => true,
    () => {
      if (++rung === 1) {
        setTimeout(() => writer.ring(), 1);
        throw new Error('a fault of the listener');
      }
      reader.close();
      setImmediate(() => console.log(`thrown ${thrown}, rung ${rung}`));
    },
  );
  writer.ring();
}

function silent() {
  const ring = allocateRing(1024);
  const reader = new RingReader(ring);
  const doorbell = new Doorbell(allocateDoorbell());
  let rung = 0;
  doorbell.listen(
    () => reader.isEmpty(),
    () => {
      while (reader.next()) rung++;
      reader.release();
      console.log(`rung ${rung}, rescued ${doorbell.rescueCount}`);
      doorbell.close();
    },
  );
  send(new RingWriter(ring), null);
}

/** Rounds of few records, each within a fresh young generation: sooner or later the code is optimised. */
function allocation() {
  for (const startPosition of [0, 2 ** 31 - 2 ** 20, 2 ** 40]) {
    const ring = allocateRing(2 ** 16, startPosition);
    const writer = new RingWriter(ring);
    const reader = new RingReader(ring);
    const timeMs = Date.now() + 0.5;
    const round = (records) => {
      for (let i = 0; i < records; i += 100) {
        for (let k = 0; k < 100; k++) {
          const start = writer.tryClaim(64);
          writer.bytes[start] = k;
          writer.writeHeader(1, 2, i, 0xffffffff, 4, 5, timeMs);
          writer.commit();
        }
        writer.publish();
        while (reader.next());
        reader.release();
      }
    };
    const youngBytes = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_used_size;
    let bytesPerRecord = Number.POSITIVE_INFINITY;
    for (let rounds = 0; rounds < 200 && !(bytesPerRecord >= 0 && bytesPerRecord < 1); rounds++) {
      round(100_000);
      globalThis.gc();
      const before = youngBytes();
      round(10_000);
      bytesPerRecord = (youngBytes() - before) / 10_000;
    }
    if (!(bytesPerRecord < 1)) throw new Error(`${bytesPerRecord} bytes per record from position ${startPosition}`);
  }
  console.log('no allocation');
}

if (!isMainThread) idleWorker();
else ({ idle, throw: throwing, silent, allocation })[process.argv[2]]();
