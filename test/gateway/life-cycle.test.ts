import { describe, expect, it } from 'vitest';
import { CLOSED, entered, type LifeState, NEW, OPEN, SERVING } from '#src/gateway/life-cycle.js';

const STATES: readonly LifeState[] = [NEW, OPEN, SERVING, CLOSED];
const EDGES = [
  [NEW, OPEN],
  [OPEN, SERVING],
  [OPEN, CLOSED],
  [SERVING, CLOSED],
];

describe('life cycle of a connection', () => {
  it('has four edges, and every other one is a fault', () => {
    const isEdge = (from: LifeState, to: LifeState): boolean => EDGES.some(([a, b]) => a === from && b === to);
    for (const from of STATES) {
      for (const to of STATES) {
        if (isEdge(from, to)) expect(entered(to, from)).toBe(to);
        else expect(() => entered(to, from)).toThrow(/a connection that is \w+ becomes \w+/);
      }
    }
  });
});
