// Snapshots: the two slots, and what a reader does when it is overtaken.

import { describe, expect, it } from 'vitest';
import { allocateSnapshot, SnapshotReader, SnapshotWriter } from '#src/counters/snapshot.js';

function snapshot(maxBytes = 16) {
  const memory = allocateSnapshot(maxBytes);
  return { memory, writer: new SnapshotWriter(memory), reader: new SnapshotReader(memory) };
}

function write(writer: SnapshotWriter, text: string): void {
  writer.target.set(Buffer.from(text));
  writer.publish(text.length);
}

const read = (reader: SnapshotReader): string | null => {
  const bytes = reader.read();
  return bytes === null ? null : Buffer.from(bytes).toString();
};

describe('snapshot', () => {
  it('shows nothing that was not published', () => {
    const { writer, reader } = snapshot();
    writer.target.fill(1);
    expect(reader.read()).toBeNull();
    write(writer, 'first');
    writer.target.fill(2);
    expect(read(reader)).toBe('first');
  });

  it('shows the newest version with its own length, to any number of readers', () => {
    const { memory, writer, reader } = snapshot();
    for (const text of ['a longer text', 'short', '', 'the last of all!']) {
      write(writer, text);
      expect([read(reader), read(new SnapshotReader(memory))]).toEqual([text, text]);
    }
  });

  it('is copied: what a reader holds does not change', () => {
    const { writer, reader } = snapshot();
    write(writer, 'one');
    const held = reader.read();
    write(writer, 'two');
    write(writer, 'six');
    expect(Buffer.from(held!).toString()).toBe('one');
  });

  it('refuses more bytes than a version may have, and sizes that its numbers would not be aligned in', () => {
    const { writer } = snapshot(16);
    expect(() => writer.publish(17)).toThrow(RangeError);
    expect(() => allocateSnapshot(12)).toThrow(RangeError);
    expect(() => allocateSnapshot(0)).toThrow(RangeError);
  });
});
