// Topics that change their home while they are used: nobody notices, and nothing is lost, doubled or overtaken.

import { describe, expect, it } from 'vitest';
import { SEND_BLOCKED, SEND_OK } from '#src/delivery/sink.js';
import { COLD } from '#src/home/placement.js';
import { Feed, move, moveAndArrive, open, pinned, range, seqsOf, subscribe, TOPIC, topicOf } from './move-lab.js';

const HELD_MAX_BYTES = 2 ** 20;
const HOMES = [COLD, 0, 1];

import type { RouterLab } from '../router/router-lab.js';

/** JSON streams without subscribers end with the second sweep. */
function endIdleJson(lab: RouterLab): void {
  for (let n = 0; n < 2; n++) while (!lab.topics.sweep());
}

describe('a topic that moves', () => {
  it('goes on with its numbers, from every home to every other', () => {
    for (const from of HOMES) {
      for (const to of HOMES.filter((home) => home !== from)) {
        const lab = open();
        const feed = new Feed(lab);
        const { binary, takeJsonSeqs } = subscribe(lab);
        moveAndArrive(lab, COLD);
        if (from !== COLD) moveAndArrive(lab, from);
        const { epoch } = topicOf(lab).spec;
        feed.publishMany(20);
        const state = move(lab, to);
        feed.publishMany(20);
        lab.advance(5);
        expect(state.isDone).toBe(true);
        feed.publishMany(20);
        lab.settle();
        feed.expectAllAcknowledged();
        expect(seqsOf(binary), `${from} → ${to}`).toEqual(range(1, 60));
        expect(takeJsonSeqs()).toEqual(range(1, 60));
        expect(topicOf(lab)).toMatchObject({ lane: to, isHot: to !== COLD, spec: { epoch } });
        expect([lab.handOver.underWayCount, lab.router.publishing.pendingAcks.count]).toEqual([0, 0]);
      }
    }
  });

  it('again and again under publishes loses, doubles and reorders nothing', () => {
    const lab = open();
    const feed = new Feed(lab);
    const { binary, takeJsonSeqs } = subscribe(lab);
    for (const [round, target] of [0, 1, COLD, 1, 0, COLD, 0, 1, 0, COLD].entries()) {
      feed.publishMany(7);
      move(lab, target);
      feed.publishMany(7);
      // The lanes are at different points of their work each time.
      for (let step = 0; step < round % 4; step++) lab.threads.step();
      feed.publishMany(7);
      lab.advance(2);
    }
    lab.advance(5);
    feed.expectAllAcknowledged();
    expect(seqsOf(binary)).toEqual(range(1, feed.accepted.length));
    expect(takeJsonSeqs()).toEqual(range(1, feed.accepted.length));
    expect(topicOf(lab).moves).toBe(10);
    expect(lab.handOver.moves).toBe(10);
  });

  it('keeps its history', () => {
    for (const to of HOMES) {
      const lab = open();
      const feed = new Feed(lab);
      moveAndArrive(lab, to === 0 ? 1 : 0);
      feed.publishMany(10);
      moveAndArrive(lab, to);
      const [late, lateText] = [lab.client(), lab.jsonClient()];
      late.send({ type: 'history', id: 1, topic: TOPIC, options: { lastN: 4 } });
      late.send({ type: 'subscribe', id: 2, topic: TOPIC, options: { lastN: 3 } });
      lateText.sendJson({ type: 'subscribe', topic: TOPIC, last_n: 3 });
      const [history, ...rest] = late.take();
      const { messages } = (history as unknown as { result: { messages: [number][] } }).result;
      expect(messages.map(([seq]) => seq)).toEqual([7, 8, 9, 10]);
      expect(rest.slice(1).map((frame) => (frame as { seq: number }).seq)).toEqual([8, 9, 10]);
      expect(lateText.takeJson().flatMap(({ type, seq }) => (type === 'event' ? [seq] : []))).toEqual([8, 9, 10]);
    }
  });

  it('still spares publishers their own messages', () => {
    for (const target of HOMES) {
      const lab = open();
      moveAndArrive(lab, target === 1 ? 0 : 1);
      const [one, other] = [lab.client(), lab.client()];
      for (const client of [one, other]) client.send({ type: 'subscribe', topic: TOPIC });
      const publish = (options?: { noEcho: true }): void =>
        one.send({ type: 'publish', topic: TOPIC, payload: 1, ...(options && { options }) });
      publish({ noEcho: true });
      lab.settle();
      move(lab, target);
      publish({ noEcho: true });
      publish();
      lab.advance(5);
      publish({ noEcho: true });
      expect(seqsOf(one)).toEqual([3]);
      expect(seqsOf(other)).toEqual([1, 2, 3, 4]);
    }
  });

  it('has subscribers that lag go on where they are', () => {
    for (const from of HOMES) {
      for (const to of HOMES.filter((home) => home !== from)) {
        const lab = open();
        const feed = new Feed(lab);
        if (from !== COLD) moveAndArrive(lab, from);
        const { binary, text, takeJsonSeqs } = subscribe(lab);
        feed.publishMany(3);
        lab.settle();
        for (const { sink } of [binary, text]) sink.result = SEND_BLOCKED;
        feed.publishMany(10);
        lab.settle();
        move(lab, to);
        feed.publishMany(10);
        lab.advance(5);
        for (const { sink, session } of [binary, text]) {
          sink.result = SEND_OK;
          lab.delivery.drained(session.consumer);
        }
        expect(seqsOf(binary), `${from} → ${to}`).toEqual(range(1, 23));
        expect(takeJsonSeqs()).toEqual(range(1, 23));
      }
    }
  });

  it('tells a subscriber whose messages are gone which they were', () => {
    const lab = open();
    const feed = new Feed(lab);
    moveAndArrive(lab, 0);
    const { binary } = subscribe(lab);
    binary.sink.result = SEND_BLOCKED;
    for (let i = 0; i < 30; i++) {
      feed.publishMany(50);
      lab.settle();
    }
    moveAndArrive(lab, 1);
    binary.sink.result = SEND_OK;
    lab.delivery.drained(binary.session.consumer);
    lab.settle();
    const frames = binary.take();
    const gap = frames.find(({ type }) => type === 'gap') as { fromSeq: number; toSeq: number };
    const events = frames.flatMap((frame) => (frame.type === 'event' ? [frame.seq] : []));
    const before = events.filter((seq) => seq < gap.fromSeq);
    const after = events.filter((seq) => seq > gap.toSeq);
    expect([...before, ...range(gap.fromSeq, gap.toSeq), ...after]).toEqual(range(1, 1500));
    expect(after.length).toBeGreaterThan(100);
  });

  it('may be subscribed to, in both codecs, while it leaves', () => {
    for (const to of [COLD, 1]) {
      const lab = open();
      const feed = new Feed(lab);
      moveAndArrive(lab, 0);
      feed.publishMany(5);
      lab.settle();
      move(lab, to);
      feed.publishMany(5);
      const [binary, text] = [lab.client(), lab.jsonClient()];
      binary.send({ type: 'subscribe', topic: TOPIC, options: { lastN: 2 } });
      text.sendJson({ type: 'subscribe', topic: TOPIC, last_n: 2 });
      feed.publishMany(5);
      lab.advance(5);
      expect(seqsOf(binary)).toEqual(range(4, 15));
      expect(text.takeJson().flatMap(({ type, seq }) => (type === 'event' ? [seq] : []))).toEqual(range(4, 15));
      feed.expectAllAcknowledged();
    }
  });

  it('may lose, get back and lose its JSON subscribers while it leaves', () => {
    for (const to of [COLD, 1]) {
      for (const changes of [
        ['close'],
        ['close', 'open'],
        ['close', 'open', 'close'],
        ['close', 'open', 'close', 'open'],
      ]) {
        const lab = open();
        const feed = new Feed(lab);
        moveAndArrive(lab, 0);
        let text = lab.jsonClient();
        text.sendJson({ type: 'subscribe', topic: TOPIC });
        feed.publishMany(5);
        text.takeJson();
        move(lab, to);
        feed.publishMany(5);
        for (const change of changes) {
          if (change === 'close') {
            text.close();
            endIdleJson(lab);
          } else {
            text = lab.jsonClient();
            text.sendJson({ type: 'subscribe', topic: TOPIC, last_n: 1 });
          }
        }
        feed.publishMany(5);
        lab.advance(5);
        const isOpen = changes.at(-1) === 'open';
        const seqs = text.takeJson().flatMap(({ type, seq }) => (type === 'event' ? [seq] : []));
        expect(seqs, changes.join()).toEqual(isOpen ? range(5, 15) : []);
        feed.expectAllAcknowledged();
        text.close();
        endIdleJson(lab);
        lab.settle();
        expect(lab.lanes.links.map(({ topicCount }) => topicCount)).toEqual([0, to === 1 ? 1 : 0]);
        // The JSON streams have given their memory back.
        expect(topicOf(lab).streamOf('json')).toBe(undefined);
      }
    }
  });

  it('may be deleted while it leaves: publishers are told, and nothing is left', () => {
    for (const to of [COLD, 1]) {
      const lab = open();
      const feed = new Feed(lab);
      moveAndArrive(lab, 0);
      const { binary, text } = subscribe(lab);
      feed.publishMany(3);
      lab.settle();
      binary.take();
      text.takeJson();
      const state = move(lab, to);
      feed.publishMany(2);
      lab.topics.delete(TOPIC);
      expect(feed.outcomes.get('m4')).toBe('TOPIC_NOT_FOUND');
      lab.advance(5);
      expect([...feed.outcomes.values()]).toEqual([1, 2, 3, 'TOPIC_NOT_FOUND', 'TOPIC_NOT_FOUND']);
      expect(state.isDone).toBe(true);
      expect(binary.take()).toMatchObject([{ type: 'unsubscribed', code: 'TOPIC_NOT_FOUND' }]);
      expect(text.takeJson()).toMatchObject([{ type: 'unsubscribed', code: 'TOPIC_NOT_FOUND' }]);
      expect(lab.handOver.underWayCount).toBe(0);
      expect(lab.lanes.links.map(({ topicCount }) => topicCount)).toEqual([0, 0]);
      expect([lab.topics.hotCount, lab.coldLink.topicCount, lab.coldLink.logBytes]).toEqual([0, 0, 0]);
      expect(lab.delivery.load).toMatchObject({ streams: 0, subscriptions: 0 });
      // The same name is another topic, with no trace of the old one.
      const again = new Feed(lab);
      again.publishMany(2);
      again.expectAllAcknowledged();
    }
  });

  it('may be deleted when it has arrived and not all of what was held has', () => {
    const lab = open({ laneRingBytes: 4096 });
    const feed = new Feed(lab);
    moveAndArrive(lab, 0);
    const { binary } = subscribe(lab);
    lab.settle();
    const state = move(lab, 1);
    for (let i = 0; i < 100; i++) expect(feed.publish(`m${i} ${'x'.repeat(100)}`)).toBe(true);
    lab.scheduler.settle();
    lab.threads.started[0].step();
    lab.lanes.drain();
    expect([topicOf(lab).lane, state.isDone]).toEqual([1, false]);
    lab.topics.delete(TOPIC);
    lab.advance(5);
    expect([state.isDone, lab.handOver.underWayCount, lab.topics.hotCount]).toEqual([true, 0, 0]);
    // Those that had reached the lane have their numbers, the others were told.
    const outcomes = feed.accepted.map((payload) => feed.outcomes.get(payload));
    const numbered = outcomes.filter((outcome) => typeof outcome === 'number');
    expect(numbered).toEqual(range(1, numbered.length));
    expect(numbered.length).toBeGreaterThan(10);
    expect(outcomes.slice(numbered.length)).toEqual(Array(100 - numbered.length).fill('TOPIC_NOT_FOUND'));
    expect(binary.take().at(-1)).toMatchObject({ type: 'unsubscribed', code: 'TOPIC_NOT_FOUND' });
    expect(lab.lanes.links.map(({ topicCount }) => topicCount)).toEqual([0, 0]);
  });

  it('vanishes with its last user, wherever it is on its way', () => {
    const defaults = {
      historyMessages: 0,
      historyBytes: 0,
      maxDelayMs: 0,
      slowConsumerPolicy: 'drop_oldest' as const,
      maxLagMs: 0,
      maxLagMessages: 0,
    };
    for (const to of [COLD, 1]) {
      const lab = open({ registry: { defaults } });
      lab.topics.delete(TOPIC);
      const { binary, text } = subscribe(lab);
      moveAndArrive(lab, 0);
      new Feed(lab).publishMany(3);
      lab.settle();
      const state = move(lab, to);
      text.close();
      binary.send({ type: 'unsubscribe', topic: TOPIC });
      expect(lab.topics.count).toBe(0);
      lab.advance(5);
      expect([state.isDone, lab.handOver.underWayCount, lab.topics.hotCount]).toEqual([true, 0, 0]);
      expect(lab.lanes.links.map(({ topicCount, parcels }) => topicCount + parcels.length)).toEqual([0, 0]);
      expect([lab.coldLink.topicCount, lab.coldLink.logBytes]).toEqual([0, 0]);
    }
  });

  it('goes where the last call wants it, also back to where it is', () => {
    const ways = [
      [1, COLD],
      [COLD, 1],
      [1, 0],
      [COLD, 0],
      [1, COLD, 0, 1],
    ];
    for (const targets of ways) {
      const lab = open();
      const feed = new Feed(lab);
      moveAndArrive(lab, 0);
      const { binary, takeJsonSeqs } = subscribe(lab);
      feed.publishMany(5);
      const states = targets.map((target) => {
        const state = move(lab, target);
        feed.publishMany(5);
        return state;
      });
      lab.advance(5);
      expect(states.map(({ isDone }) => isDone)).toEqual(targets.map(() => true));
      expect(topicOf(lab).lane, targets.join()).toBe(targets.at(-1));
      feed.expectAllAcknowledged();
      expect(seqsOf(binary)).toEqual(range(1, feed.accepted.length));
      expect(takeJsonSeqs()).toEqual(range(1, feed.accepted.length));
    }
  });
});

describe('what is published while a topic leaves', () => {
  it('is held up to 1 MiB, and refused beyond', () => {
    const lab = open({ maxPayloadBytes: 2 ** 20 });
    const feed = new Feed(lab);
    moveAndArrive(lab, 0);
    move(lab, COLD);
    const text = 'x'.repeat(100_000);
    let held = 0;
    while (feed.publish(`${held} ${text}`)) held++;
    expect(held).toBe(Math.floor(HELD_MAX_BYTES / 100_010));
    expect(lab.router.publishing.overloadedMessages).toBe(1);
    lab.advance(5);
    feed.expectAllAcknowledged();
    expect(feed.publish('there is room again')).toBe(true);
  });

  it('is held if it is one message of any size', () => {
    const lab = open({ maxPayloadBytes: 4 * 2 ** 20 });
    const feed = new Feed(lab);
    moveAndArrive(lab, 0);
    move(lab, COLD);
    expect(feed.publish('x'.repeat(HELD_MAX_BYTES + 1))).toBe(true);
    expect(feed.publish('one more')).toBe(false);
  });

  it('shows as pressure', () => {
    const lab = open({ maxPayloadBytes: 2 ** 20 });
    moveAndArrive(lab, 0);
    const one = lab.client();
    one.send({ type: 'publish', topic: TOPIC, payload: 'known' });
    lab.settle();
    move(lab, COLD);
    const { link, spec } = topicOf(lab);
    one.send({ type: 'publish', topic: TOPIC, payload: 'x'.repeat(2 ** 17) });
    one.send({ type: 'publish', topic: TOPIC, payload: 'x'.repeat(2 ** 17) });
    expect(Math.round(link.pressureOf(spec.alias))).toBe(25);
  });

  it('goes in order to a lane that is full, as room comes; without subscribers too', () => {
    const lab = open({ laneRingBytes: 4096 });
    const feed = new Feed(lab);
    const filler = lab.topics.declare('filler');
    lab.handOver.move(filler, 1);
    moveAndArrive(lab, 0);
    const state = move(lab, 1);
    for (let i = 0; i < 100; i++) expect(feed.publish(`m${i} ${'x'.repeat(100)}`)).toBe(true);
    // Lane 0 lets go; lane 1 gets full before it has taken anything.
    const [first, second] = lab.threads.started;
    for (let round = 0; round < 3; round++) {
      lab.scheduler.settle();
      first!.step();
      lab.lanes.drain();
    }
    expect([state.isDone, topicOf(lab).lane, lab.handOver.underWayCount]).toEqual([false, 1, 1]);
    expect(feed.outcomes.size).toBe(0);
    for (let round = 0; round < 20; round++) {
      expect(feed.publish(`later ${round}`)).toBe(true);
      second!.step();
      lab.advance(1);
    }
    expect(state.isDone).toBe(true);
    feed.expectAllAcknowledged();
    expect(lab.handOver.underWayCount).toBe(0);
    expect(lab.scheduler.timerCount, 'of the watches and the sweep').toBeLessThanOrEqual(3);
  });

  it('is acknowledged also when the cold logs are full: another one gives room', () => {
    const lab = open({ coldLogsMaxBytes: 30_000 });
    const feed = new Feed(lab);
    moveAndArrive(lab, 0);
    const other = lab.client();
    lab.topics.declare('other');
    other.send({ type: 'publish', topic: 'other', payload: 'x'.repeat(10_000) });
    lab.settle();
    const state = move(lab, COLD);
    expect(feed.publish(`m1 ${'x'.repeat(12_000)}`)).toBe(true);
    expect(feed.publish('m2')).toBe(true);
    lab.advance(5);
    expect([state.isDone, topicOf(lab).lane]).toEqual([true, COLD]);
    feed.expectAllAcknowledged();
    expect(lab.topics.find('other')?.log.retainedFrames).toBe(0);
  });
});

describe('a lane that fails', () => {
  it('while a topic leaves it is replaced, and the topic leaves its successor', () => {
    for (const to of [COLD, 1]) {
      for (let stepsBefore = 0; stepsBefore < 3; stepsBefore++) {
        const lab = open();
        const feed = new Feed(lab);
        moveAndArrive(lab, 0);
        const { binary, takeJsonSeqs } = subscribe(lab);
        feed.publishMany(5);
        lab.settle();
        const thread = lab.threads.started[0];
        feed.publishMany(5);
        const state = move(lab, to);
        feed.publishMany(5);
        lab.scheduler.turn();
        for (let step = 0; step < stepsBefore; step++) thread.step();
        thread.die(new Error('test'));
        lab.advance(5);
        expect(lab.laneReports).toEqual(['died 0', 'recovered 0']);
        expect([state.isDone, topicOf(lab).lane]).toEqual([true, to]);
        feed.expectAllAcknowledged();
        expect(seqsOf(binary)).toEqual(range(1, 15));
        expect(takeJsonSeqs()).toEqual(range(1, 15));
      }
    }
  });

  it('for good while a topic is on its way to it leaves the topic on the accept thread', () => {
    const lab = open();
    const feed = new Feed(lab);
    moveAndArrive(lab, 0);
    feed.publishMany(5);
    const state = move(lab, 1);
    feed.publishMany(5);
    while (lab.lanes.lanes[1].state !== 'degraded') {
      lab.threads.started
        .filter(({ isAlive }) => isAlive)
        .at(-1)!
        .die(new Error('test'));
      lab.scheduler.advance(300);
      if (lab.laneReports.length > 50) throw new Error('it does not give up');
    }
    lab.advance(5);
    expect([state.isDone, topicOf(lab).lane]).toEqual([true, COLD]);
    feed.expectAllAcknowledged();
  });

  it('for good sends its topics to the accept thread, the pinned ones too, and none that are leaving for another lane', async () => {
    const lab = open();
    const feed = new Feed(lab);
    await pinned(lab, 0);
    feed.publishMany(5);
    lab.settle();
    const away = lab.topics.declare('away');
    lab.handOver.move(away, 0);
    lab.settle();
    lab.handOver.move(away, 1);
    lab.keeper.evacuate(0);
    feed.publishMany(5);
    lab.advance(5);
    expect([topicOf(lab).lane, away.lane]).toEqual([COLD, 1]);
    feed.expectAllAcknowledged();
  });
});
