// What the ring promises, one behaviour per test, in one thread.

import { describe, expect, it } from 'vitest';
import { RING_HEAD_BYTES } from '#src/ring/layout.js';
import { allocateRing, RING_FULL, RingReader, RingWriter } from '#src/ring/ring.js';

function ringOf(capacityBytes: number, startPosition = 0) {
  const memory = allocateRing(capacityBytes, startPosition);
  return { memory, writer: new RingWriter(memory), reader: new RingReader(memory) };
}

/** Commits one record whose payload bytes and type are `mark`. */
function put(writer: RingWriter, payloadBytes: number, mark: number): number {
  const start = writer.tryClaim(payloadBytes);
  if (start === RING_FULL) return RING_FULL;
  writer.bytes.fill(mark, start, start + payloadBytes);
  writer.writeHeader(mark, 0, 0, 0, 0, 0, 0);
  writer.commit();
  return start;
}

function drain(reader: RingReader): number[] {
  const types: number[] = [];
  while (reader.next()) types.push(reader.type);
  reader.release();
  return types;
}

describe('a ring', () => {
  it('hands over every field of the head and the payload', () => {
    const { writer, reader } = ringOf(1024);
    const start = writer.tryClaim(5);
    writer.bytes.set([1, 2, 3, 4, 5], start);
    writer.writeHeader(0xffff, 0xfffe, 0xffffffff, 0xfffffffe, 0x80000000, 0x7fffffff, 1732060800000.25);
    writer.commit();
    expect(writer.publish()).toBe(true);

    expect(reader.next()).toBe(true);
    expect(reader).toMatchObject({
      type: 0xffff,
      flags: 0xfffe,
      alias: 0xffffffff,
      origin: 0xfffffffe,
      request: 0x80000000,
      aux: 0x7fffffff,
      time: 1732060800000.25,
    });
    expect([...reader.bytes.subarray(reader.payloadStart, reader.payloadEnd)]).toEqual([1, 2, 3, 4, 5]);
    expect(reader.position).toBe(40);
    expect(writer.position).toBe(40);
    expect(reader.next()).toBe(false);
  });

  it('keeps a field of the head from running into its neighbour', () => {
    const { writer, reader } = ringOf(1024);
    writer.tryClaim(0);
    writer.writeHeader(0x12345, 0x16789, 0, 0, 0, 0, 0);
    writer.commit();
    writer.publish();
    reader.next();
    expect([reader.type, reader.flags]).toEqual([0x2345, 0x6789]);
  });

  it('takes a payload of no bytes', () => {
    const { writer, reader } = ringOf(128);
    put(writer, 0, 7);
    writer.publish();
    expect(reader.next()).toBe(true);
    expect(reader.payloadStart).toBe(reader.payloadEnd);
    expect(reader.type).toBe(7);
  });

  it('does not show a record before publish', () => {
    const { writer, reader } = ringOf(1024);
    put(writer, 8, 1);
    expect(reader.isEmpty()).toBe(true);
    expect(reader.next()).toBe(false);
    writer.publish();
    expect(reader.isEmpty()).toBe(false);
    expect(reader.next()).toBe(true);
  });

  it('does not show a claimed record that another publish passes by', () => {
    const { writer, reader } = ringOf(1024);
    put(writer, 8, 1);
    writer.tryClaim(8);
    writer.writeHeader(2, 0, 0, 0, 0, 0, 0);
    writer.publish();
    expect(drain(reader)).toEqual([1]);
    writer.commit();
    writer.publish();
    expect(drain(reader)).toEqual([2]);
  });

  it('publishes a batch at once, and says whether there was one', () => {
    const { writer, reader } = ringOf(1024);
    expect(writer.publish()).toBe(false);
    for (let i = 1; i <= 5; i++) put(writer, i, i);
    expect(writer.publish()).toBe(true);
    expect(writer.publish()).toBe(false);
    expect(drain(reader)).toEqual([1, 2, 3, 4, 5]);
  });

  it('forgets an aborted record and uses its room again', () => {
    const { writer, reader } = ringOf(128);
    const first = writer.tryClaim(32);
    writer.abort();
    expect(put(writer, 32, 9)).toBe(first);
    writer.publish();
    expect(drain(reader)).toEqual([9]);
  });

  it('is empty again after an aborted record that needed padding', () => {
    const { writer, reader } = ringOf(128);
    put(writer, 0, 1);
    put(writer, 0, 2);
    put(writer, 0, 3);
    writer.publish();
    drain(reader);
    expect(writer.tryClaim(32)).toBe(32);
    writer.abort();
    expect(writer.publish()).toBe(false);
    expect(reader.isEmpty()).toBe(true);
    expect(put(writer, 0, 4)).toBe(128);
    writer.publish();
    expect(drain(reader)).toEqual([4]);
  });

  it('never splits a payload at the end of the data area', () => {
    const { writer, reader } = ringOf(128);
    put(writer, 16, 1);
    writer.publish();
    drain(reader);
    put(writer, 16, 2);
    writer.publish();
    drain(reader);
    // 32 bytes are left up to the end, 40 are needed.
    expect(put(writer, 8, 3)).toBe(32);
    writer.publish();
    expect(reader.next()).toBe(true);
    expect(reader.payloadStart).toBe(32);
    expect(reader.position).toBe(128 + 40);
  });

  it('says full instead of overwriting what was read but not released', () => {
    const { writer, reader } = ringOf(128);
    put(writer, 32, 1);
    put(writer, 32, 2);
    expect(put(writer, 0, 3)).toBe(RING_FULL);
    expect(writer.fillPercent()).toBe(100);
    writer.publish();
    reader.next();
    reader.next();
    expect(put(writer, 0, 3)).toBe(RING_FULL);
    reader.release();
    expect(writer.fillPercent()).toBe(0);
    expect(put(writer, 0, 3)).not.toBe(RING_FULL);
  });

  it('has room for the largest payload at every position, once it is empty', () => {
    for (const capacityBytes of [128, 256, 4096]) {
      for (let startPosition = 0; startPosition < capacityBytes; startPosition += 8) {
        const { writer, reader } = ringOf(capacityBytes, startPosition);
        expect(put(writer, writer.payloadMaxBytes, 5)).not.toBe(RING_FULL);
        writer.publish();
        expect(drain(reader)).toEqual([5]);
      }
    }
  });

  it('keeps exact positions beyond 2^32', () => {
    for (const startPosition of [2 ** 31 - 64, 2 ** 32 - 64, 2 ** 32, 3 * 2 ** 40 + 32, 2 ** 52]) {
      const { writer, reader } = ringOf(128, startPosition);
      for (let i = 1; i <= 10; i++) {
        put(writer, 0, i);
        expect(writer.position).toBe(startPosition + 32 * i);
        writer.publish();
        expect(writer.position).toBe(startPosition + 32 * i);
        reader.next();
        expect(reader.position).toBe(startPosition + 32 * i);
        expect(reader.type).toBe(i);
        reader.release();
        expect(reader.position).toBe(startPosition + 32 * i);
      }
    }
  });

  it('shows a successor of its reader everything that was not released, at the same positions', () => {
    const { memory, writer, reader } = ringOf(256, 2 ** 32 - 32);
    for (let i = 1; i <= 3; i++) put(writer, 0, i);
    writer.publish();
    reader.next();
    reader.release();
    reader.next();
    const successor = new RingReader(memory);
    expect(successor.position).toBe(2 ** 32);
    expect(successor.next()).toBe(true);
    expect(successor.position).toBe(2 ** 32 + 32);
    expect([successor.type, ...drain(successor)]).toEqual([2, 3]);
  });

  it('goes on with a successor of its writer after the last published record', () => {
    const { memory, writer, reader } = ringOf(256, 2 ** 40);
    put(writer, 0, 1);
    writer.publish();
    put(writer, 0, 2);
    const successor = new RingWriter(memory);
    expect(successor.position).toBe(2 ** 40 + 32);
    put(successor, 0, 3);
    successor.publish();
    expect(drain(reader)).toEqual([1, 3]);
  });

  it('shares no cache line pair between the words of the two sides', () => {
    const { memory, writer, reader } = ringOf(1024);
    const before = new Uint8Array(memory, 0, RING_HEAD_BYTES).slice();
    const changed = () => {
      const now = new Uint8Array(memory, 0, RING_HEAD_BYTES);
      const blocks = new Set<number>();
      now.forEach((byte, index) => {
        if (byte !== before[index]) blocks.add(Math.floor(index / 128));
      });
      before.set(now);
      return [...blocks];
    };
    put(writer, 100, 1);
    writer.publish();
    const writerBlocks = changed();
    drain(reader);
    const readerBlocks = changed();
    expect(writerBlocks).toHaveLength(1);
    expect(readerBlocks).toHaveLength(1);
    expect(writerBlocks).not.toEqual(readerBlocks);
  });
});

describe('a ring refuses', () => {
  it.each([0, 64, 127, 129, 1000, 3 * 1024, 2 ** 30, -128, 128.5, Number.NaN])('a capacity of %d bytes', (capacity) => {
    expect(() => allocateRing(capacity)).toThrow(RangeError);
  });

  it.each([-8, 4, 1.5, 2 ** 53, Number.NaN])('to start at position %d', (startPosition) => {
    expect(() => allocateRing(1024, startPosition)).toThrow(RangeError);
  });

  it('memory that is not a ring', () => {
    expect(() => new RingWriter(new SharedArrayBuffer(1024))).toThrow(RangeError);
    expect(() => new RingReader(new SharedArrayBuffer(RING_HEAD_BYTES))).toThrow(RangeError);
  });

  it('a payload that could never fit, and stays usable', () => {
    const { writer, reader } = ringOf(256);
    expect(writer.payloadMaxBytes).toBe(96);
    for (const payloadBytes of [97, 2 ** 31, 2 ** 32, -1, Number.NaN]) {
      expect(() => writer.tryClaim(payloadBytes)).toThrow(RangeError);
    }
    put(writer, 96, 1);
    writer.publish();
    expect(drain(reader)).toEqual([1]);
  });

  it('two claims at once, and a commit, header or abort without one', () => {
    const { writer } = ringOf(256);
    expect(() => writer.commit()).toThrow('without a claim');
    expect(() => writer.abort()).toThrow('without a claim');
    expect(() => writer.writeHeader(0, 0, 0, 0, 0, 0, 0)).toThrow('without a claim');
    writer.tryClaim(8);
    expect(() => writer.tryClaim(8)).toThrow('while a claim is open');
    writer.commit();
    expect(() => writer.commit()).toThrow('without a claim');
  });

  it('a second writer', () => {
    const { memory, writer } = ringOf(1024);
    const second = new RingWriter(memory);
    put(writer, 8, 1);
    writer.publish();
    put(second, 8, 2);
    expect(() => second.publish()).toThrow('another writer');
  });

  it('a second reader', () => {
    const { memory, writer, reader } = ringOf(1024);
    const second = new RingReader(memory);
    put(writer, 8, 1);
    writer.publish();
    drain(reader);
    second.next();
    expect(() => second.release()).toThrow('another reader');
  });

  it('to go on when the memory is corrupt, instead of looping', () => {
    const { memory, writer, reader } = ringOf(1024);
    put(writer, 8, 1);
    writer.publish();
    for (const length of [0, 31, -8, -2048]) {
      new Int32Array(memory, RING_HEAD_BYTES)[0] = length;
      expect(() => reader.next()).toThrow('corrupt');
    }
  });
});
