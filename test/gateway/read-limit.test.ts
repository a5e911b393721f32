// Whether a connection alone is read from for too long: time and turns are the test's.
import { describe, expect, it } from 'vitest';
import { READ_MAX_BYTES, READ_MAX_MS, ReadLimit } from '#src/gateway/read-limit.js';
import { FakeScheduler } from '../support/fake-scheduler.js';

const HALF_BYTES = READ_MAX_BYTES / 2;

function setUp(): { scheduler: FakeScheduler; receives: (name: string, bytes?: number) => boolean } {
  const scheduler = new FakeScheduler();
  const limit = new ReadLimit<string>(scheduler);
  return { scheduler, receives: (name, bytes = READ_MAX_BYTES) => limit.isExceededBy(name, bytes, scheduler.now) };
}

describe('the read limit', () => {
  it('is exceeded by a connection that sends too much for too long, without a turn of the event loop', () => {
    const { scheduler, receives } = setUp();
    expect(receives('a', HALF_BYTES)).toBe(false);
    scheduler.now += READ_MAX_MS;
    expect(receives('a', HALF_BYTES + 1)).toBe(false);
    scheduler.now += 1;
    expect(receives('a', 0)).toBe(true);
  });

  it('is not exceeded by messages that take their time, as long as they are few', () => {
    const { scheduler, receives } = setUp();
    expect(receives('a', HALF_BYTES)).toBe(false);
    scheduler.now += 10 * READ_MAX_MS;
    expect(receives('a', HALF_BYTES)).toBe(false);
    expect(receives('a', 1)).toBe(true);
  });

  it('starts anew with each turn, however long that took', () => {
    const { scheduler, receives } = setUp();
    for (let turn = 0; turn < 3; turn++) {
      expect(receives('a')).toBe(false);
      scheduler.now += READ_MAX_MS;
      expect(receives('a')).toBe(false);
      scheduler.turn();
      scheduler.now += READ_MAX_MS;
    }
  });

  it('starts anew when another connection is read from', () => {
    const { scheduler, receives } = setUp();
    for (const name of ['a', 'b', 'a', 'b']) {
      expect(receives(name)).toBe(false);
      scheduler.now += READ_MAX_MS;
    }
  });

  it('asks for one callback per turn, and for none without messages', () => {
    const { scheduler, receives } = setUp();
    for (const name of ['a', 'a', 'b', 'a']) receives(name);
    expect(scheduler.soonCount).toBe(1);
    expect(scheduler.settle()).toBe(1);
    receives('b');
    expect(scheduler.soonCount).toBe(1);
  });
});
