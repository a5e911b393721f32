// The newest message of each key survives whatever comes: in either kind of log, through take-overs and successors.

import { describe, expect, it } from 'vitest';
import type { FrameLog } from '#src/log/frame-log.js';
import { PlainLog } from '#src/log/plain-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import { EventHead, EventView, eventTail, tailElements } from '#src/protocol/event.js';
import { encode } from '#src/protocol/msgpack.js';
import { type KeySpec, KeyTable } from '#src/topic/key-table.js';
import { Random, testSeed } from '../ring/random.js';

const SIZES = { dataBytes: 2 ** 14, frames: 128 };
const SPEC: KeySpec = {
  field: null,
  isSingle: false,
  onMissing: 'refuse',
  maxKeys: 40,
  onFull: 'refuse',
  ttlMs: 0,
  merges: false,
};
const PLAIN = { ...SIZES, retainMs: Number.POSITIVE_INFINITY, historyMessages: 0, historyBytes: 0 };
const shared = (): FrameLog => new SharedLog(allocateSharedLog(SIZES, 1));
const plain = (): FrameLog => new PlainLog(PLAIN);

const head = new EventHead();

function frame(seq: number, key: string, bytes: number, isDelete: boolean): Uint8Array {
  const tail = eventTail({ key, change: isDelete ? 'delete' : null, version: seq });
  const payload = isDelete ? encode(null) : encode(new Uint8Array(bytes));
  const length = head.write(7, seq, 1000 + seq, tailElements(tail));
  return Uint8Array.from([...head.bytes.subarray(0, length), ...payload, ...tail]);
}

/** Key, seq and frame of all that the table has. */
function contents(table: KeyTable, fromSeq: number, nowMs: number): string[] {
  const view = new EventView();
  return table.changedSince(fromSeq, nowMs).map((entry) => {
    const bytes = table.frameOf(entry);
    const isRight = view.read(bytes, 0, bytes.length) && view.seq === entry.seq && view.version === entry.version;
    if (!isRight) throw new Error(`the frame of message ${entry.seq} is another one`);
    return `${view.key} ${view.seq} ${bytes.length}`;
  });
}

describe.each([
  ['plain', plain],
  ['shared', shared],
] as const)('a key table in a %s log', (_, open) => {
  it.each(['refuse', 'evict'] as const)('that is full and has to %s is like its model', (onFull) => {
    const random = new Random(testSeed('key table'));
    for (let life = 0; life < 20; life++) {
      const spec = { ...SPEC, onFull, maxKeys: 1 + random.below(48), ttlMs: random.below(3) === 0 ? 50 : 0 };
      let table = new KeyTable(open(), spec);
      const model = new Map<string, { seq: number; bytes: number; timeMs: number }>();
      let full = 0;
      for (let seq = 1; seq <= 400; seq++) {
        const key = `k${random.below(80)}`;
        const isDelete = random.below(10) === 0;
        const bytes = frame(seq, key, random.below(random.below(20) === 0 ? 2500 : 200), isDelete);
        for (const [old, { timeMs }] of model) if (spec.ttlMs > 0 && timeMs + spec.ttlMs <= seq) model.delete(old);
        if (!isDelete && !table.makeRoomFor(key, bytes.length, seq)) {
          // What has no room now has none in a model that counts bytes and keys either.
          const live = [...model].reduce((sum, [other, { bytes: its }]) => sum + (other === key ? 0 : its), 0);
          const isCrowded = model.size + (model.has(key) ? 0 : 1) > spec.maxKeys;
          expect(
            isCrowded ||
              2 * (live + bytes.length) + 4 * bytes.length + 4096 > SIZES.dataBytes ||
              bytes.length * 8 > SIZES.dataBytes,
          ).toBe(true);
          full++;
          continue;
        }
        table.put(bytes, seq, 0);
        model.delete(key);
        if (!isDelete) model.set(key, { seq, bytes: bytes.length, timeMs: seq });
        // Those that had to go are the ones that have not changed for longest.
        for (const old of [...model.keys()].slice(0, Math.max(0, model.size - table.size))) model.delete(old);
        if (seq % 7 !== 0) continue;
        const from = random.below(seq);
        const expected = [...model].filter(
          ([, entry]) => entry.seq >= from && !(spec.ttlMs > 0 && entry.timeMs + spec.ttlMs <= seq),
        );
        expect(contents(table, from, seq)).toEqual(
          expected.map(([name, entry]) => `${name} ${entry.seq} ${entry.bytes}`),
        );
        expect(table.log.retainedFrames).toBeLessThanOrEqual(2 * table.size + 20);
        if (random.below(9) > 0) continue;
        const next = random.below(2) === 0 ? table.log : random.below(2) === 0 ? plain() : shared();
        if (next !== table.log) next.takeOver(table.log);
        // What was evicted is still in the log, and may come back; nothing that counts may be lost.
        const restored = new KeyTable(next, spec);
        if (onFull === 'refuse') expect(contents(restored, 0, seq)).toEqual(contents(table, 0, seq));
        else expect(contents(restored, 0, seq)).toEqual(expect.arrayContaining(contents(table, 0, seq)));
        if (onFull === 'refuse') table = restored;
      }
      if (onFull === 'evict') expect(full).toBeLessThan(20);
    }
  });
});
