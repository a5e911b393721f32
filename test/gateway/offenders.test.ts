// Whom the server refuses for a while because it was flooded from there.
import { describe, expect, it } from 'vitest';
import { OFFENDERS_MAX, Offenders } from '#src/gateway/offenders.js';

describe('an address that flooded', () => {
  it('is refused for a second, for twice as long with each further time, a minute at most, and is forgotten', () => {
    const offenders = new Offenders();
    let nowMs = 5000;
    expect(offenders.retryAfterMs('203.0.113.7', nowMs)).toBe(0);
    const penalties = Array.from({ length: 9 }, () => {
      offenders.add('203.0.113.7', nowMs);
      const penaltyMs = offenders.retryAfterMs('203.0.113.7', nowMs);
      nowMs += penaltyMs;
      expect(offenders.retryAfterMs('203.0.113.7', nowMs)).toBe(0);
      return penaltyMs / 1000;
    });
    expect(penalties).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    nowMs += 300_001;
    offenders.add('203.0.113.7', nowMs);
    expect(offenders.retryAfterMs('203.0.113.7', nowMs)).toBe(1000);
  });

  it.each([
    ['203.0.113.7', '203.0.113.8', false],
    ['2001:db8:1:2::7', '2001:db8:1:2:ffff::8', true],
    ['2001:0db8:0001:0002:0000:0000:0000:0007', '2001:db8:1:2::9', true],
    ['2001:db8:1:2::7', '2001:db8:1:3::7', false],
    ['::1', '0000:0000:0000:0000:0000:0000:0000:0001', true],
    ['::ffff:203.0.113.7', '::ffff:203.0.113.8', false],
  ])('%s: is %s refused with it? %s', (offender, other, isRefused) => {
    const offenders = new Offenders();
    offenders.add(offender, 0);
    expect(offenders.retryAfterMs(other, 1) > 0).toBe(isRefused);
  });

  it('does not fill the memory', () => {
    const offenders = new Offenders();
    const address = (n: number): string => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
    for (let n = 0; n < OFFENDERS_MAX + 10; n++) offenders.add(address(n), 0);
    const refused = Array.from({ length: OFFENDERS_MAX + 10 }, (_, n) => offenders.retryAfterMs(address(n), 0) > 0);
    expect(refused.filter(Boolean)).toHaveLength(OFFENDERS_MAX);
    expect(refused.slice(0, 10)).not.toContain(true);
  });
});
