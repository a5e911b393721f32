// What `ringcast serve` tells of lanes: one line per event.
import { describe, expect, it } from 'vitest';
import { laneLine, poisonLine } from '#src/cli/engine-lines.js';

describe('the lines of a lane', () => {
  const event = { lane: 2, recoveryMs: 0, fault: new Error('out of\n  memory') };

  it('say what happened and why, in one line', () => {
    expect(laneLine({ ...event, kind: 'died' })).toBe('lane 2 died and is replaced: out of; memory');
    expect(laneLine({ ...event, kind: 'stalled' })).toMatch(/^lane 2 did not move for laneStallMs/);
    expect(laneLine({ ...event, kind: 'recovered', recoveryMs: 41.2, fault: null })).toBe('lane 2 goes on after 42 ms');
    expect(laneLine({ ...event, kind: 'degraded' })).toMatch(/^lane 2 is given up, .*: out of; memory$/);
  });

  it('name the topic and the size of a message that was put aside, not its content', () => {
    const line = poisonLine({ topic: 'a b', lane: 0, payload: new Uint8Array([0xa1, 0x78]), time: 0 });
    expect(line).toBe('a message of 2 bytes to "a b" was put aside: lane 0 died of it again and again');
  });
});
