// The backlog against a plain list of messages: any sequence of pushes, partial handling and drops, and what it takes.
import { describe, expect, it } from 'vitest';
import { Backlog } from '#src/gateway/backlog.js';
import { seededRandom } from '../support/seeded.js';

const STEPS = 4000;
/** A chunk that is begun, and one that the last messages have not left yet. */
const OVERHEAD_BYTES = 2 * 64 * 1024;

describe('the backlog', () => {
  it.each([1, 2, 3, 4])('gives back what it was given, in order, and takes little more than that (seed %i)', (seed) => {
    const random = seededRandom(seed);
    const backlog = new Backlog();
    const model: { bytes: Uint8Array; isBinary: boolean; handled: number }[] = [];
    for (let step = 0; step < STEPS; step++) {
      const first = model[0];
      expect(backlog.isEmpty).toBe(first === undefined);
      if (first === undefined || random() < 0.5) {
        const length = Math.floor(random() ** 8 * 200_000);
        const bytes = new Uint8Array(length).fill(step & 0xff);
        const isBinary = random() < 0.5;
        backlog.push(bytes, isBinary);
        model.push({ bytes, isBinary, handled: 0 });
      } else {
        expect(backlog.isBinary).toBe(first.isBinary);
        expect(Buffer.compare(backlog.message, first.bytes.subarray(first.handled))).toBe(0);
        const rest = first.bytes.length - first.handled;
        if (rest > 1 && random() < 0.3) {
          const handled = 1 + Math.floor(random() * (rest - 1));
          backlog.advance(handled);
          first.handled += handled;
        } else {
          backlog.drop();
          model.shift();
        }
      }
      const waiting = model.reduce((sum, { bytes }) => sum + bytes.length + 5, 0);
      expect(backlog.bytes).toBeGreaterThanOrEqual(waiting);
      // Of a chunk the handled part stays until all of it is; a large message has a chunk of its own size.
      expect(backlog.bytes).toBeLessThanOrEqual(2 * waiting + OVERHEAD_BYTES);
      if (model.length === 0) expect(backlog.bytes).toBe(0);
    }
  });

  it('takes little for a connection of which little waits', () => {
    const backlog = new Backlog();
    backlog.push(new Uint8Array(20), true);
    expect(backlog.bytes).toBeLessThanOrEqual(512);
  });
});
