// What a subscriber asks for is no lag: limits begin to count with the first message that comes after it has subscribed.

import { describe, expect, it } from 'vitest';
import { SEND_BLOCKED, SEND_OK } from '#src/delivery/sink.js';
import { POLICY_DISCONNECT, policyNumber } from '#src/delivery/slow-consumer.js';
import { DeliveryLab, type LabConsumer, type LabStreamOptions, type LabTopic } from './delivery-lab.js';

const OLD_MS = 10_000;
const LIMITS: readonly (readonly [string, LabStreamOptions])[] = [
  ['maxLagMs', { maxLagMs: 500 }],
  ['maxLagMessages', { maxLagMessages: 10 }],
];
const POLICIES = [
  ['drop_oldest', policyNumber('drop_oldest')],
  ['disconnect', POLICY_DISCONNECT],
] as const;

const seqs = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** What has arrived, in short, whatever the codec. */
function take(one: LabConsumer): string[] {
  const frames = one.consumer.encoder.isText ? one.takeJson() : one.take();
  return frames.map((frame) => frame.slice(frame.indexOf(':') + 1));
}

function tenOldMessages(limits: LabStreamOptions): { lab: DeliveryLab; topic: LabTopic } {
  const lab = new DeliveryLab();
  const topic = lab.topic(limits);
  // Somebody reads them, so that the limits have been applied to them.
  lab.consumer().subscribe(topic);
  lab.consumer(true).subscribe(topic);
  for (let n = 1; n <= 10; n++) topic.publish(n);
  lab.settle();
  lab.scheduler.advance(OLD_MS);
  return { lab, topic };
}

for (const [key, limits] of LIMITS) {
  for (const [name, policy] of POLICIES) {
    for (const isText of [false, true]) {
      describe(`${key}, ${name}, ${isText ? 'JSON' : 'MessagePack'}`, () => {
        it('replays what is asked for, however old, and whatever comes while it does', () => {
          for (const isMovedOn of [false, true]) {
            const { lab, topic } = tenOldMessages(limits);
            if (isMovedOn) topic.publish('one message later');
            const head = topic.stream.log.headSeq;
            const one = lab.consumer(isText).subscribe(topic, { cursor: 1, policy });
            topic.publish('at once');
            lab.settle();
            expect(take(one)).toEqual(seqs(1, head + 1).map(String));
            expect(one.sink.ends).toEqual([]);
          }
        });

        it('leaves alone who has not read it yet, until something newer is beyond the limit', () => {
          const { lab, topic } = tenOldMessages(limits);
          const one = lab.consumer(isText);
          one.sink.result = SEND_BLOCKED;
          lab.delivery.blocked(one.consumer);
          one.subscribe(topic, { cursor: 1, policy });
          lab.scheduler.advance(OLD_MS);
          lab.settle();
          expect([one.sink.ends, take(one)]).toEqual([[], []]);
          for (let n = 1; n <= 12; n++) topic.publish(n);
          lab.scheduler.advance(OLD_MS);
          lab.settle();
          expect(one.sink.ends, 'now it lags').toHaveLength(policy === POLICY_DISCONNECT ? 1 : 0);
          one.sink.result = SEND_OK;
          lab.delivery.drained(one.consumer);
          lab.settle();
          const frames = take(one);
          if (policy !== POLICY_DISCONNECT) expect(frames[0]).toMatch(/^gap 1-\d+ max_lag/);
        });
      });
    }
  }
}

describe('a replay whose beginning the log gives up', () => {
  it.each(POLICIES)('is told so and goes on (%s): nothing was missed that came since', (_, policy) => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ shared: { dataBytes: 4096, frames: 8 } });
    for (let n = 1; n <= 7; n++) topic.publish(n);
    lab.settle();
    const one = lab.consumer();
    lab.delivery.blocked(one.consumer);
    one.subscribe(topic, { cursor: 1, policy });
    for (let n = 8; n <= 10; n++) topic.publish(n);
    lab.settle();
    lab.delivery.drained(one.consumer);
    lab.settle();
    expect(take(one)).toEqual(['gap 1-3 lapped', ...seqs(4, 10).map(String)]);
    expect(one.sink.ends).toEqual([]);
  });
});
