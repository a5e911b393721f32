// Publishers that wait for a number: each is told once.

import { describe, expect, it } from 'vitest';
import { RingcastError } from '#src/errors.js';
import { PendingAcks } from '#src/router/pending-acks.js';

describe('pending acks', () => {
  it('tell each publisher once, whatever is reported again', () => {
    const acks = new PendingAcks();
    const outcomes: string[] = [];
    const [first, second, third] = ['a', 'b', 'c'].map((name) =>
      acks.add((outcome) => outcomes.push(`${name} ${'seq' in outcome ? outcome.seq : outcome.code}`)),
    );
    acks.settle(second!, { seq: 7 });
    acks.settle(second!, { seq: 7 });
    acks.cancel(third!);
    acks.settle(third!, { seq: 8 });
    acks.settle(first!, { seq: 6 });
    acks.settle(99, { seq: 1 });
    expect(outcomes).toEqual(['b 7', 'a 6']);
    expect(acks.count).toBe(0);
  });

  it('are all refused in the end, those of publishers that try again at once later', () => {
    const acks = new PendingAcks();
    const error = new RingcastError('SHUTTING_DOWN', 'test');
    const outcomes: unknown[] = [];
    acks.add((outcome) => {
      outcomes.push(outcome);
      acks.add((again) => outcomes.push(again));
    });
    acks.add((outcome) => outcomes.push(outcome));
    acks.refuseAll(error);
    expect(outcomes).toEqual([error, error]);
    expect(acks.count).toBe(1);
  });
});
