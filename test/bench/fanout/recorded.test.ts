// Recorded messages as they are replayed: numbers for topics, and payloads that can be verified.
import { describe, expect, it } from 'vitest';
import { BinaryPayload } from '#src/load/payload.js';
import { RecordedMessages } from '../../../bench/support/generator/recorded-messages.js';
import { seededRandom } from '../../../bench/support/shared.js';

describe('a recording in memory', () => {
  const messages = new RecordedMessages([
    { timeMs: 1000.5, topic: 'spot:rare', json: '{"é":1}' },
    { timeMs: 1001, topic: 'spot:busy', json: '{}' },
    { timeMs: 1003.5, topic: 'spot:busy', json: '[1,2]' },
  ]);

  it('numbers topics by how many messages they have', () => {
    expect(messages.summary.topics).toEqual([
      { name: 'spot:busy', messages: 2 },
      { name: 'spot:rare', messages: 1 },
    ]);
    expect([...messages.topics]).toEqual([1, 0, 0]);
  });

  it('keeps times since the beginning and the bytes of each message', () => {
    expect([...messages.atMs]).toEqual([0, 0.5, 3]);
    expect(messages.summary.seconds).toBe(0.003);
    const texts = [0, 1, 2].map((index) =>
      messages.bytes.toString('utf8', index === 0 ? 0 : messages.ends[index - 1], messages.ends[index]),
    );
    expect(texts).toEqual(['{"é":1}', '{}', '[1,2]']);
  });
});

describe('the payload of a recorded message', () => {
  const random = seededRandom(5);
  const form = new BinaryPayload();
  const written = (messageBytes: number, seq: number) => {
    const bytes = Buffer.from(Array.from({ length: 16 + messageBytes + 4 }, () => Math.floor(random() * 256)));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    form.write(bytes, view, 0, bytes.length, 7, seq, 1234.25);
    return { bytes, view };
  };

  it.each([0, 1, 15, 16, 17, 204, 64_000])('of %i bytes is recognised with topic, number and time', (messageBytes) => {
    const { bytes, view } = written(messageBytes, 99);
    expect(form.read(bytes, view, 0, bytes.length)).toBe(true);
    expect([form.topic, form.seq, form.sentMs]).toEqual([7, 99, 1234.25]);
  });

  it('is refused when it was cut, when it grew, or when any byte of its head or check changed', () => {
    const { bytes, view } = written(200, 5);
    expect(form.read(bytes, view, 0, bytes.length - 1)).toBe(false);
    expect(form.read(bytes, view, 1, bytes.length)).toBe(false);
    expect(form.read(bytes, view, 0, 19)).toBe(false);
    for (const at of [...Array(16).keys(), 216, 217, 218, 219]) {
      bytes[at] ^= 0x10;
      expect(form.read(bytes, view, 0, bytes.length), `byte ${at}`).toBe(false);
      bytes[at] ^= 0x10;
    }
    expect(form.read(bytes, view, 0, bytes.length)).toBe(true);
  });

  it('is refused when the message is that of another number', () => {
    const [left, right] = [written(300, 1), written(300, 1)];
    right.bytes.copy(left.bytes, 16, 16, 316);
    expect(form.read(left.bytes, left.view, 0, left.bytes.length)).toBe(false);
  });
});
