// A million records and more through a ring to a worker, and back through a second ring, with a doorbell each way. Both
// sides check every byte. The rings are small and now and then a side dawdles, so that both rings run full and both
// threads sleep.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { allocateDoorbell, Doorbell } from '#src/ring/doorbell.js';
import { allocateRing, RingReader, RingWriter } from '#src/ring/ring.js';
import { deferred } from './deferred.js';
import { Random, testSeed } from './random.js';
import { dawdle, RecordCheck, RecordSource } from './stress-records.mjs';

const RECORDS = 1_000_000;
const PAYLOAD_MAX_BYTES = 4096;
// At most so many records per turn: the doorbell has to call again for the rest.
const TURN_RECORDS = 3_000;

/** Writes what the source makes, in batches of random size, as far as there is room. */
class Pump {
  fullCount = 0;
  readonly #source: RecordSource;
  readonly #writer: RingWriter;
  readonly #peer: Doorbell;
  readonly #random: Random;

  constructor(source: RecordSource, writer: RingWriter, peer: Doorbell, random: Random) {
    this.#source = source;
    this.#writer = writer;
    this.#peer = peer;
    this.#random = random;
  }

  run(): void {
    for (let written = 0; written < TURN_RECORDS && this.#source.count < RECORDS; ) {
      const batch = 1 + this.#random.below(64);
      for (let i = 0; i < batch && this.#source.count < RECORDS; i++, written++) {
        if (this.#source.write(this.#writer)) continue;
        this.fullCount++;
        written = TURN_RECORDS;
        break;
      }
      if (this.#writer.publish()) this.#peer.ring();
    }
  }
}

it('no record is torn, lost, doubled or reordered between two threads, whichever of them is slow', async () => {
  const seed = testSeed('two-threads');
  const random = new Random(seed);
  const memory = {
    requests: allocateRing(2 ** 15, 2 ** 32 - 2 ** 22),
    replies: allocateRing(2 ** 14, 2 ** 31 - 2 ** 22),
    workerBell: allocateDoorbell(),
    mainBell: allocateDoorbell(),
  };
  const workerUrl = new URL('./two-threads-worker.mjs', import.meta.url);
  const worker = new Worker(workerUrl, {
    workerData: { ...memory, seed, records: RECORDS, payloadMaxBytes: PAYLOAD_MAX_BYTES },
  });
  const reader = new RingReader(memory.replies);
  const doorbell = new Doorbell(memory.mainBell);
  const peer = new Doorbell(memory.workerBell);
  const pump = new Pump(new RecordSource(seed, PAYLOAD_MAX_BYTES), new RingWriter(memory.requests), peer, random);
  const check = new RecordCheck(seed ^ 1, PAYLOAD_MAX_BYTES);
  const finished = deferred();
  let wakeUps = 0;

  const turn = () => {
    wakeUps++;
    let read = 0;
    while (read++ < TURN_RECORDS && reader.next()) {
      check.read(reader);
      if (random.chance(1 / 2_000)) dawdle(300);
      // Released in the middle of a batch too: the writer gets room while this side goes on reading.
      if (random.chance(1 / 64)) reader.release();
    }
    reader.release();
    peer.ring();
    pump.run();
    if (check.count === RECORDS) finished.resolve();
  };
  doorbell.listen(
    () => reader.isEmpty(),
    () => {
      try {
        turn();
      } catch (error) {
        finished.reject(error);
      }
    },
  );
  worker.once('error', finished.reject);
  const report = once(worker, 'message');
  pump.run();
  try {
    await finished.promise;
    const [workerReport] = await report;
    console.log({ main: { wakeUps, fullCount: pump.fullCount }, worker: workerReport });
    expect(reader.isEmpty()).toBe(true);
    expect(check.count).toBe(RECORDS);
    expect(workerReport.records).toBe(RECORDS);
    expect(doorbell.rescueCount, 'wake-ups lost').toBe(0);
    expect(pump.fullCount, 'the ring to the worker ran full').toBeGreaterThan(100);
    expect(workerReport.fullCount, 'the ring from the worker ran full').toBeGreaterThan(100);
    expect(workerReport.waits, 'the worker slept').toBeGreaterThan(10);
  } finally {
    doorbell.close();
    await worker.terminate();
  }
});

it('two threads that ring one doorbell lose no wake-up', async () => {
  const ROUNDS = 5_000;
  const mainBell = allocateDoorbell();
  const doorbell = new Doorbell(mainBell);
  const lines = [0, 1].map(() => {
    const memory = {
      requests: allocateRing(1024),
      replies: allocateRing(1024),
      workerBell: allocateDoorbell(),
      mainBell,
    };
    const workerUrl = new URL('./two-threads-worker.mjs', import.meta.url);
    const worker = new Worker(workerUrl, { workerData: { ...memory, seed: 1, records: ROUNDS, payloadMaxBytes: 64 } });
    return {
      worker,
      source: new RecordSource(1, 64),
      writer: new RingWriter(memory.requests),
      reader: new RingReader(memory.replies),
      check: new RecordCheck(1 ^ 1, 64),
      peer: new Doorbell(memory.workerBell),
    };
  });
  const finished = deferred();
  // One record is under way per worker at any time, so that all three threads fall asleep again and again.
  const send = ({ source, writer, peer }: (typeof lines)[number]) => {
    source.write(writer);
    writer.publish();
    peer.ring();
  };
  let replies = 0;
  doorbell.listen(
    () => lines.every(({ reader }) => reader.isEmpty()),
    () => {
      for (const line of lines) {
        while (line.reader.next()) {
          line.check.read(line.reader);
          replies++;
          line.reader.release();
          if (line.source.count < ROUNDS) send(line);
        }
      }
      if (replies === 2 * ROUNDS) finished.resolve();
    },
  );
  for (const line of lines) line.worker.once('error', finished.reject);
  for (const line of lines) send(line);
  try {
    await finished.promise;
    expect(doorbell.rescueCount, 'wake-ups lost').toBe(0);
  } finally {
    doorbell.close();
    await Promise.all(lines.map(({ worker }) => worker.terminate()));
  }
});
