// Whatever ring the configuration accepts can be made, and takes the largest message that it accepts.
import { describe, expect, it } from 'vitest';
import { parseConfig } from '#src/config.js';
import { eventTail } from '#src/protocol/event.js';
import { MESSAGE_ID_MAX_BYTES } from '#src/protocol/messages.js';
import { ringCapacityProblem, ringPayloadMaxBytes } from '#src/ring/layout.js';

const KIB = 1024;

function accepts(options: Record<string, unknown>): boolean {
  try {
    parseConfig(options);
    return true;
  } catch {
    return false;
  }
}

describe('ringBytes', () => {
  it('is accepted just where a ring can be made of it', () => {
    const sizes = Array.from({ length: 18 }, (_, index) => 8 * KIB * 2 ** index);
    const accepted = sizes.filter((ringBytes) => accepts({ lanes: 1, ringBytes, maxPayloadBytes: KIB }));
    expect(accepted).toEqual(sizes.filter((ringBytes) => ringCapacityProblem(ringBytes) === null));
    expect(accepted.at(-1)).toBe(512 * KIB * KIB);
  });

  it('is accepted only where the largest message fits, with its id', () => {
    const tailBytes = eventTail({ id: 'x'.repeat(MESSAGE_ID_MAX_BYTES) }).length;
    let accepted = 0;
    for (let ringBytes = 8 * KIB; ringBytes <= 2 ** 24; ringBytes *= 2) {
      for (let maxPayloadBytes = KIB; maxPayloadBytes <= 2 ** 24; maxPayloadBytes = Math.ceil(maxPayloadBytes * 1.09)) {
        const logs = { hotLogBytes: 2 ** 28, coldLogMaxBytes: 2 ** 28 };
        if (!accepts({ lanes: 1, ringBytes, maxPayloadBytes, ...logs })) continue;
        accepted++;
        expect(maxPayloadBytes + tailBytes).toBeLessThanOrEqual(ringPayloadMaxBytes(ringBytes));
      }
    }
    expect(accepted).toBeGreaterThan(100);
  });
});
