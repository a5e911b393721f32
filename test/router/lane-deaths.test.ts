// What publishers and subscribers see of a lane that dies: nothing, but for a message that cannot be handled.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { RingcastError } from '#src/errors.js';
import { COLD } from '#src/home/placement.js';
import { decode, encode } from '#src/protocol/msgpack.js';
import { Topic } from '#src/topic/topic.js';
import { publishLocally, RouterLab } from './router-lab.js';

const RULES = [{ match: 'hot:*', home: 0 }];

function open(): RouterLab {
  const lab = new RouterLab({ laneRingBytes: 2 ** 16, lanes: 2, registry: { rules: RULES } });
  lab.settle();
  return lab;
}

/** Homes die of this payload, as long as they are in lanes. */
function dieOf(lab: RouterLab, deadly: string): void {
  const { publish } = Topic.prototype;
  vi.spyOn(Topic.prototype, 'publish').mockImplementation(function (this: Topic, message, ...rest) {
    const { bytes, start, end } = message;
    if (decode(bytes, start, end) === deadly && lab.topics.find(this.spec.topic)?.isHot) throw new Error(deadly);
    return publish.call(this, message, ...rest);
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a message that lanes die of', () => {
  it('is answered with INTERNAL and the advice not to retry; subscribers miss nothing', () => {
    const lab = open();
    dieOf(lab, 'deadly');
    const [one, text, subscriber] = [lab.client(), lab.jsonClient(), lab.client()];
    subscriber.send({ type: 'subscribe', topic: 'hot:a' });
    one.send(
      { type: 'publish', id: 1, topic: 'hot:a', payload: 'before' },
      { type: 'publish', id: 2, topic: 'hot:a', payload: 'deadly' },
      { type: 'publish', id: 3, topic: 'hot:a', payload: 'after' },
      { type: 'publish', topic: 'hot:a', payload: 'deadly' },
      { type: 'publish', id: 4, topic: 'hot:a', payload: 'last' },
    );
    text.sendJson({ type: 'publish', request_id: 'j', topic: 'hot:a', message: { payload: 'deadly' } });
    lab.advance(100);
    const answers = one.take();
    expect(answers.map((answer) => ('id' in answer ? answer.id : null)).sort()).toEqual([1, 2, 3, 4]);
    expect(answers.find((answer) => 'id' in answer && answer.id === 2)).toMatchObject({
      type: 'error',
      code: 'INTERNAL',
      details: { retry: false },
    });
    expect(text.takeJson()).toMatchObject([
      { type: 'error', request_id: 'j', error: { code: 'INTERNAL', details: { retry: false } } },
    ]);
    expect(subscriber.takeShort()).toEqual(['event 1', 'event 2', 'event 3']);
    expect(lab.laneReports.filter((report) => report === 'poison 0')).toHaveLength(3);
    expect(lab.router.publishing.pendingAcks.count).toBe(0);
  });

  it('rejects the publish of the process itself', () => {
    const lab = open();
    dieOf(lab, 'deadly');
    const outcomes: unknown[] = [];
    for (const payload of ['deadly', 'fine']) {
      publishLocally(lab, 'hot:a', encode(payload), (outcome) => outcomes.push(outcome));
    }
    lab.advance(100);
    expect(outcomes[0]).toBeInstanceOf(RingcastError);
    expect(outcomes).toMatchObject([{ code: 'INTERNAL', details: { retry: false } }, { seq: 1 }]);
  });
});

describe('a lane that dies under subscribers', () => {
  it('shows them each message once, in order', () => {
    const lab = open();
    const [subscriber, feed] = [lab.client(), lab.client()];
    subscriber.send({ type: 'subscribe', topic: 'hot:a' });
    const answers: number[] = [];
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 5; i++) feed.send({ type: 'publish', id: round * 5 + i, topic: 'hot:a', payload: i });
      lab.scheduler.turn();
      if (round % 3 !== 0) lab.threads.alive[0].step();
      if (round % 4 === 0) lab.threads.alive.at(-1)!.die(new Error('killed'));
      if (round % 5 === 0) lab.settle();
    }
    lab.advance(500);
    for (const frame of feed.take()) if (frame.type === 'ok') answers.push((frame.result as { seq: number }).seq);
    const all = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(answers).toEqual(all);
    expect(subscriber.takeShort()).toEqual(all.map((seq) => `event ${seq}`));
  });
});

describe('a lane that is given up', () => {
  it('gives its topics to the accept thread and gets no new ones, pinned or not', () => {
    const lab = open();
    const [subscriber, feed] = [lab.client(), lab.client()];
    subscriber.send({ type: 'subscribe', topic: 'hot:a' });
    feed.send({ type: 'publish', id: 1, topic: 'hot:a', payload: 1 });
    lab.settle();
    const lane = lab.lanes.lanes[0];
    for (let deaths = 0; lane.state !== 'degraded'; deaths++) {
      feed.send({ type: 'publish', id: 10 + deaths, topic: 'hot:a', payload: deaths });
      lab.threads.alive.find((thread) => thread !== lab.threads.started[1])?.die(new Error('killed'));
      lab.scheduler.advance(300);
      if (deaths > 20) throw new Error('it does not give up');
    }
    feed.send({ type: 'publish', id: 100, topic: 'hot:a', payload: 'held' });
    lab.advance(10);
    const entry = lab.topics.find('hot:a')!;
    expect([entry.lane, entry.home, lab.topics.hotCount]).toEqual([COLD, 0, 0]);
    expect(lab.topics.declare('hot:new').lane).toBe(COLD);
    feed.send({ type: 'publish', id: 101, topic: 'hot:a', payload: 'cold' });
    const seqs = feed.take().map((frame) => (frame as unknown as { result: { seq: number } }).result.seq);
    const all = Array.from({ length: entry.log.headSeq }, (_, index) => index + 1);
    expect(seqs).toEqual(all);
    expect(subscriber.takeShort()).toEqual(all.map((seq) => `event ${seq}`));
    expect(lane.link.topicCount).toBe(0);
  });
});
