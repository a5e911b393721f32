// The memory of a lane's logs: used again once the lane has let go of it, and not before.

import { describe, expect, it } from 'vitest';
import { SharedLogs } from '#src/lane/shared-logs.js';
import { FrameLog } from '#src/log/frame-log.js';

const SIZES = { dataBytes: 1024, frames: 16 };

function append(memory: SharedArrayBuffer, count: number): void {
  const writer = FrameLog.shared(memory);
  for (let i = 0; i < count; i++) {
    writer.begin(3, 1000 + i, 0, 0);
    writer.write(new Uint8Array([1, 2, 3]), 0, 3);
    writer.commit();
  }
}

describe('shared logs', () => {
  it('does not hand out memory that the lane may still write to', () => {
    const logs = new SharedLogs(SIZES);
    const first = logs.take(1, 1);
    logs.closeAll(1);
    expect(logs.take(2, 1)).not.toBe(first);
  });

  it('hands out memory again once the lane has let go, as an empty log', () => {
    const logs = new SharedLogs(SIZES);
    const first = logs.take(1, 1);
    append(first, 100);
    logs.closeAll(1);
    logs.closed();
    const again = logs.take(2, 41);
    expect(again).toBe(first);
    const log = FrameLog.shared(again);
    expect([log.tailSeq, log.headSeq, log.positionOf(41)]).toEqual([41, 40, 0]);
    append(again, 2);
    log.refresh();
    expect([log.tailSeq, log.headSeq, log.sliceBytes(41, 43)]).toEqual([41, 42, 6]);
  });

  it('closes what was taken last, or all of a topic, in the order of the requests', () => {
    const logs = new SharedLogs(SIZES);
    logs.take(1, 1);
    const json = logs.take(1, 1);
    logs.take(2, 1);
    logs.closeLast(1);
    logs.closeAll(2);
    logs.closed();
    expect(logs.take(3, 1)).toBe(json);
    logs.closeAll(1);
    logs.closed();
    logs.closed();
    expect(logs.spareCount).toBe(2);
  });

  it('keeps a bounded number, and refuses a closing that nobody asked for', () => {
    const logs = new SharedLogs(SIZES);
    for (let alias = 1; alias <= 20; alias++) logs.take(alias, 1);
    for (let alias = 1; alias <= 20; alias++) logs.closeAll(alias);
    for (let alias = 1; alias <= 20; alias++) logs.closed();
    expect(logs.spareCount).toBe(8);
    expect(() => logs.closed()).toThrow('was not asked');
  });
});
