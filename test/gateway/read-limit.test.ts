// Whether a connection alone is read from for too long: time and turns are the test's.
import { describe, expect, it } from 'vitest';
import { READ_MAX_MS, ReadLimit } from '#src/gateway/read-limit.js';
import { FakeScheduler } from '../support/fake-scheduler.js';

function setUp(): { scheduler: FakeScheduler; receives: (name: string) => boolean } {
  const scheduler = new FakeScheduler();
  const limit = new ReadLimit<string>(scheduler);
  return { scheduler, receives: (name) => limit.isExceededBy(name, scheduler.now) };
}

describe('the read limit', () => {
  it('is exceeded by messages of one connection that come for longer than it, without a turn of the event loop', () => {
    const { scheduler, receives } = setUp();
    expect(receives('a')).toBe(false);
    scheduler.now += READ_MAX_MS;
    expect(receives('a')).toBe(false);
    scheduler.now += 1;
    expect(receives('a')).toBe(true);
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
