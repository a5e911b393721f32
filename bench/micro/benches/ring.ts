// Ring: records pushed by a writer and drained by a reader in one thread: the cost of the code, without that of waking
// or of moving cache lines between cores.

import { copyBytes } from '../../../dist/log/copy.js';
import { allocateRing, RING_FULL, RingReader, RingWriter } from '../../../dist/ring/ring.js';
import { type Group, type TimeBench, verify, type Work } from '../bench.js';

/** The default of the option `ringBytes`. */
const RING_BYTES = 4 * 1024 * 1024;
const PAYLOAD_BYTES = [16, 64, 256, 1024];
/** The last one is the most that a lane deals with at a time. */
const BATCH_RECORDS = [1, 16, 256];
const TYPE = 2;
const ALIAS = 77;
const TIME_MS = 1_700_000_000_000;

/** As a link pushes the messages of one turn, and a lane drains them. */
class PushAndDrain implements Work {
  readonly #payload: Uint8Array;
  readonly #batch: number;
  readonly #writer: RingWriter;
  readonly #reader: RingReader;

  constructor(payloadBytes: number, batch: number) {
    this.#payload = Uint8Array.from({ length: payloadBytes }, (_, index) => (index * 7 + 1) & 0xff);
    this.#batch = batch;
    const memory = allocateRing(RING_BYTES);
    this.#writer = new RingWriter(memory);
    this.#reader = new RingReader(memory);
    this.#verifyOneBatch();
  }

  run(times: number): number {
    let sum = 0;
    for (let time = 0; time < times; time++) {
      this.#push();
      sum += this.#drain();
    }
    return sum;
  }

  expected(times: number): number {
    const perRecord = this.#payload.length + this.#payload.at(-1)! + ALIAS;
    // Requests are numbered from 0 in each batch.
    return times * (this.#batch * perRecord + (this.#batch * (this.#batch - 1)) / 2);
  }

  #push(): void {
    const writer = this.#writer;
    const payload = this.#payload;
    for (let record = 0; record < this.#batch; record++) {
      const at = writer.tryClaim(payload.length);
      if (at === RING_FULL) throw new Error('the ring is full');
      copyBytes(payload, 0, payload.length, writer.bytes, at);
      writer.writeHeader(TYPE, 0, ALIAS, 0, record, 0, TIME_MS);
      writer.commit();
    }
    writer.publish();
  }

  #drain(): number {
    const reader = this.#reader;
    const { bytes } = reader;
    let sum = 0;
    while (reader.next()) {
      const { payloadStart, payloadEnd } = reader;
      sum += payloadEnd - payloadStart + bytes[payloadEnd - 1] + reader.alias + reader.request;
    }
    reader.release();
    return sum;
  }

  #verifyOneBatch(): void {
    const reader = this.#reader;
    this.#push();
    for (let record = 0; record < this.#batch; record++) {
      verify(reader.next(), `record ${record} of ${this.#batch} is missing`);
      const payload = reader.bytes.subarray(reader.payloadStart, reader.payloadEnd);
      verify(Buffer.compare(payload, this.#payload) === 0, 'a payload that was not pushed');
      verify(reader.type === TYPE && reader.alias === ALIAS && reader.request === record, 'a head that was not pushed');
      verify(reader.time === TIME_MS, 'a time that was not pushed');
    }
    verify(!reader.next(), 'more records than were pushed');
    reader.release();
  }
}

function pushAndDrain(payloadBytes: number, batch: number): TimeBench {
  return {
    kind: 'time',
    name: `push-drain/${payloadBytes}B/batch=${batch}`,
    item: 'record',
    items: batch,
    prepare: () => new PushAndDrain(payloadBytes, batch),
  };
}

export const group: Group = {
  name: 'ring',
  title: 'push and drain a batch of records in one thread',
  benches: PAYLOAD_BYTES.flatMap((bytes) => BATCH_RECORDS.map((batch) => pushAndDrain(bytes, batch))),
};
