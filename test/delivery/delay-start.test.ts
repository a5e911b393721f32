// From when a delay counts.

import { expect, it } from 'vitest';
import { DeliveryLab } from './delivery-lab.js';

it('a delay counts from the acceptance of a message, not from when delivery heard of it', () => {
  const lab = new DeliveryLab();
  const topic = lab.topic({ isHot: true, maxDelayMs: 20 });
  const one = lab.consumer().subscribe(topic);
  topic.append('on its way through a lane');
  lab.scheduler.advance(15);
  topic.report();
  lab.scheduler.advance(4);
  expect(one.take()).toEqual([]);
  lab.scheduler.advance(2);
  expect(one.take()).toEqual(['1:1']);
});

it('a message that was longer on its way than it may wait is not delayed further', () => {
  const lab = new DeliveryLab();
  const topic = lab.topic({ isHot: true, maxDelayMs: 20 });
  const one = lab.consumer().subscribe(topic);
  topic.append('late');
  lab.scheduler.advance(25);
  topic.report();
  lab.settle();
  expect(one.take()).toEqual(['1:1']);
});
