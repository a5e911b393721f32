// Random steps on a ring and on a plain array that stands for it; they must agree after each step.

import { describe, expect, it } from 'vitest';
import { RING_HEAD_BYTES } from '#src/ring/layout.js';
import { allocateRing, RING_FULL, RingReader, RingWriter } from '#src/ring/ring.js';
import { Random, testSeed } from './random.js';

interface ModelRecord {
  head: number[];
  payload: Uint8Array;
  endPosition: number;
}

/** Like expect().toBe(), but cheap enough for millions of comparisons. */
function same(what: string, actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) expect(actual, what).toBe(expected);
}

/** The queue that the ring must equal, and the arithmetic of its room in plain numbers. */
class Model {
  committed: ModelRecord[] = [];
  published: ModelRecord[] = [];
  read: ModelRecord[] = [];
  position: number;
  publishedPosition: number;
  readPosition: number;
  releasedPosition: number;
  readonly capacityBytes: number;

  constructor(capacityBytes: number, startPosition: number) {
    this.capacityBytes = capacityBytes;
    this.position = startPosition;
    this.publishedPosition = startPosition;
    this.readPosition = startPosition;
    this.releasedPosition = startPosition;
  }

  endPositionOf(payloadBytes: number): number {
    const recordBytes = Math.ceil((32 + payloadBytes) / 8) * 8;
    const toEndBytes = this.capacityBytes - (this.position % this.capacityBytes);
    return this.position + recordBytes + (recordBytes > toEndBytes ? toEndBytes : 0);
  }
}

class Run {
  readonly random: Random;
  readonly memory: SharedArrayBuffer;
  readonly model: Model;
  writer: RingWriter;
  reader: RingReader;
  counts = { full: 0, aborted: 0, records: 0, takeovers: 0 };

  constructor(seed: number, capacityBytes: number, startPosition: number) {
    this.random = new Random(seed);
    this.memory = allocateRing(capacityBytes, startPosition);
    // As after many rounds: nothing may depend on fresh zeros.
    const data = new Uint8Array(this.memory, RING_HEAD_BYTES);
    for (let i = 0; i < data.length; i += 1 + this.random.below(3)) data[i] = this.random.u32();
    this.model = new Model(capacityBytes, startPosition);
    this.writer = new RingWriter(this.memory);
    this.reader = new RingReader(this.memory);
  }

  step(): void {
    const dice = this.random.below(100);
    if (dice < 45) this.write();
    else if (dice < 60) this.publish();
    else if (dice < 88) this.next();
    else if (dice < 97) this.release();
    else if (dice < 99) this.replaceReader();
    else this.replaceWriter();
    this.compare();
  }

  payloadBytes(): number {
    const max = this.writer.payloadMaxBytes;
    const dice = this.random.below(10);
    if (dice === 0) return 0;
    if (dice === 1) return max;
    if (dice === 2) return max - this.random.below(Math.min(9, max + 1));
    if (dice < 6) return this.random.below(max + 1);
    return this.random.below(Math.min(max, 80) + 1);
  }

  write(): void {
    const { model, writer, random } = this;
    const payloadBytes = this.payloadBytes();
    const endPosition = model.endPositionOf(payloadBytes);
    const start = writer.tryClaim(payloadBytes);
    if (endPosition - model.releasedPosition > model.capacityBytes) {
      same('claim', start, RING_FULL);
      this.counts.full += 1;
      return;
    }
    // Counted back from the end, because an empty payload may end with the data area.
    const endIndex = ((endPosition - 1) % model.capacityBytes) + 1;
    same('claim', start, endIndex - Math.ceil(payloadBytes / 8) * 8);
    const payload = new Uint8Array(payloadBytes);
    for (let i = random.below(4); i < payloadBytes; i += 1 + random.below(4)) payload[i] = random.u32();
    writer.bytes.set(payload, start);
    const head = [random.below(65536), random.below(65536), random.u32(), random.u32(), random.u32(), random.u32()];
    head.push(random.u32() / 3);
    writer.writeHeader(head[0], head[1], head[2], head[3], head[4], head[5], head[6]);
    if (random.chance(0.15)) {
      writer.abort();
      this.counts.aborted += 1;
      return;
    }
    writer.commit();
    model.position = endPosition;
    model.committed.push({ head, payload, endPosition });
  }

  publish(): void {
    const { model } = this;
    same('publish', this.writer.publish(), model.committed.length > 0);
    model.published.push(...model.committed);
    model.committed = [];
    model.publishedPosition = model.position;
  }

  next(): void {
    const { model, reader } = this;
    for (let i = this.random.below(4); i >= 0; i--) {
      const expected = model.published.shift();
      same('next', reader.next(), expected !== undefined);
      if (expected === undefined) return;
      const { type, flags, alias, origin, request, aux, time } = reader;
      [type, flags, alias, origin, request, aux, time].forEach((value, i) => {
        same(`head field ${i}`, value, expected.head[i]);
      });
      const payload = reader.bytes.subarray(reader.payloadStart, reader.payloadEnd);
      same('payload', Buffer.compare(payload, expected.payload), 0);
      same('position', reader.position, expected.endPosition);
      model.read.push(expected);
      model.readPosition = expected.endPosition;
      this.counts.records += 1;
    }
  }

  release(): void {
    this.reader.release();
    this.model.releasedPosition = this.model.readPosition;
    this.model.read = [];
  }

  /** The reader dies: what it had not released is read again. */
  replaceReader(): void {
    this.reader = new RingReader(this.memory);
    this.model.published.unshift(...this.model.read);
    this.model.read = [];
    this.model.readPosition = this.model.releasedPosition;
    this.counts.takeovers += 1;
  }

  /** The writer dies: what it had not published never was. */
  replaceWriter(): void {
    this.writer = new RingWriter(this.memory);
    this.model.committed = [];
    this.model.position = this.model.publishedPosition;
    this.counts.takeovers += 1;
  }

  compare(): void {
    const { model } = this;
    same('writer.position', this.writer.position, model.position);
    same('reader.position', this.reader.position, model.readPosition);
    same('isEmpty', this.reader.isEmpty(), model.published.length === 0);
    const fillPercent = (100 * (model.position - model.releasedPosition)) / model.capacityBytes;
    same('fillPercent', this.writer.fillPercent(), fillPercent);
  }
}

describe('a ring equals a queue', () => {
  const seed = testSeed('ring.property');
  const starts = [0, 2 ** 31 - 4096, 2 ** 32 - 4096, 2 ** 32 + 8, 5 * 2 ** 40 - 64];
  for (const [capacityBytes, steps] of [
    [128, 10_000],
    [256, 10_000],
    [1024, 10_000],
    [65_536, 2_000],
    [2 ** 20, 300],
  ] as const) {
    for (const startPosition of starts) {
      it(`of ${capacityBytes} bytes, from position ${startPosition}`, () => {
        const run = new Run(seed ^ capacityBytes ^ (startPosition % 9973), capacityBytes, startPosition);
        for (let i = 0; i < steps; i++) run.step();
        expect(run.counts.full, 'the run met a full ring').toBeGreaterThan(0);
        expect(run.counts.aborted, 'the run aborted').toBeGreaterThan(0);
        expect(run.counts.takeovers, 'the run replaced a side').toBeGreaterThan(0);
        expect(run.model.position - startPosition, 'the run wrapped').toBeGreaterThan(3 * capacityBytes);
      });
    }
  }
});
