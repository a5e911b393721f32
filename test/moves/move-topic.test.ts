// Moves by call: what pins a topic, and what is refused.

import { describe, expect, it } from 'vitest';
import { COLD, type Home } from '#src/home/placement.js';
import { RouterLab } from '../router/router-lab.js';
import { open, pinned, TOPIC, topicOf } from './move-lab.js';

describe('moves by call', () => {
  it('pin the topic to its home, until it is `auto` again', async () => {
    const lab = open();
    for (const [home, lane] of [
      [1, 1],
      ['hot', 1],
      [0, 0],
      ['cold', COLD],
      ['auto', COLD],
      ['hot', 0],
      ['auto', 0],
    ] as const) {
      await pinned(lab, home);
      expect([topicOf(lab).home, topicOf(lab).lane]).toEqual([home, lane]);
    }
  });

  it('to a lane count as hot topics, up to maxHotTopics', async () => {
    const lab = open({ registry: { maxHotTopics: 2, rules: [{ match: 'hot:*', home: 0 }] } });
    lab.topics.declare('hot:1');
    await pinned(lab, 0);
    expect(lab.topics.hotCount).toBe(2);
    await pinned(lab, 1);
    expect(lab.topics.hotCount, 'from lane to lane').toBe(2);
    const third = lab.topics.declare('third');
    for (const home of ['hot', 0] as const) {
      await expect(lab.keeper.pin(third, home)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    }
    expect(third).toMatchObject({ lane: COLD, home: 'auto' });
    await pinned(lab, 'cold');
    expect(lab.topics.hotCount).toBe(1);
    await Promise.all([lab.keeper.pin(third, 'hot'), Promise.resolve(lab.advance(5))]);
    expect(third.isHot).toBe(true);
  });

  it('while the topic leaves count the topic once', async () => {
    const lab = open({ registry: { maxHotTopics: 1 } });
    await pinned(lab, 0);
    const [away, back] = [lab.keeper.pin(topicOf(lab), 'cold'), lab.keeper.pin(topicOf(lab), 1)];
    lab.advance(5);
    await Promise.all([away, back]);
    expect([topicOf(lab).lane, lab.topics.hotCount]).toEqual([1, 1]);
    await pinned(lab, 'cold');
    expect(lab.topics.hotCount).toBe(0);
  });

  it('to homes that there are not are refused, and change nothing', async () => {
    const lab = open();
    const entry = topicOf(lab);
    for (const home of [2, -1, 0.5, Number.NaN, 'lane 1', '', undefined]) {
      await expect(lab.keeper.pin(entry, home as Home)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    }
    expect(entry).toMatchObject({ home: 'auto', lane: COLD });
    const without = new RouterLab();
    const cold = without.topics.declare(TOPIC);
    await expect(without.keeper.pin(cold, 0)).rejects.toMatchObject({ code: 'BAD_REQUEST', message: /there are none/ });
    await expect(without.keeper.pin(cold, 'hot')).rejects.toMatchObject({
      code: 'CONFLICT',
      message: /there are none/,
    });
    await without.keeper.pin(cold, 'cold');
    await without.keeper.pin(cold, 'auto');
  });

  it('reject when the topic is deleted on its way', async () => {
    const lab = open();
    await pinned(lab, 0);
    const moving = lab.keeper.pin(topicOf(lab), 1);
    lab.topics.delete(TOPIC);
    lab.advance(5);
    await expect(moving).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
  });

  it('leave `auto` on the way as it is', async () => {
    const lab = open();
    await pinned(lab, 0);
    const moving = lab.keeper.pin(topicOf(lab), 1);
    const released = lab.keeper.pin(topicOf(lab), 'auto');
    lab.advance(5);
    await Promise.all([moving, released]);
    expect([topicOf(lab).lane, topicOf(lab).home]).toEqual([1, 'auto']);
  });
});
