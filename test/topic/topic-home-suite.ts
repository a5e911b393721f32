// The behaviour of topics, the same in every home. A home's test file calls this with a way to open one.

import { afterEach, describe, expect, it } from 'vitest';
import { EventView } from '#src/protocol/event.js';
import { eventToJson } from '#src/protocol/json-event.js';
import { readHistory } from '#src/topic/history.js';
import { JSON_STREAM } from '#src/variant/stream-spec.js';
import { Random, testSeed } from '../ring/random.js';
import { describeMoving } from './moving-suite.js';
import { expectAccepted, framesOf, HomeLab, type HomeSizes, type OpenHome, type OpenLab } from './topic-home.js';

const decoder = new TextDecoder();
const json = (bytes: Uint8Array) => JSON.parse(decoder.decode(bytes)) as Record<string, unknown>;

export function describeTopicHome(name: string, openHome: OpenHome): void {
  describe(`topics, ${name}`, () => {
    const labs: HomeLab[] = [];
    const openLab = async (sizes?: HomeSizes) => {
      const lab = await HomeLab.open(openHome, sizes);
      labs.push(lab);
      return lab;
    };
    afterEach(async () => {
      for (const lab of labs.splice(0)) await lab.home.close();
    });
    describeMessages(openLab);
    describeHistory(openLab);
    describeJson(openLab);
    describeLife(openLab);
    describeMoving(openLab);
  });
}

function describeMessages(openLab: OpenLab): void {
  it('number messages 1, 2, 3 … in the order of acceptance', async () => {
    const lab = await openLab();
    const { spec, log } = lab.open();
    expect([log.tailSeq, log.headSeq]).toEqual([1, 0]);
    for (const value of ['a', { b: [1, 2.5, null] }, new Uint8Array(300), 'ä'.repeat(1000)])
      lab.publish(spec.alias, value);
    await lab.home.settle();
    expect(framesOf(log)).toHaveLength(4);
    expectAccepted(lab, spec.alias, log);
    expect(lab.heads.has(spec.alias)).toBe(true);
  });

  it('hand on message ids', async () => {
    const lab = await openLab();
    const { spec, log } = lab.open();
    for (const id of ['', 'm-1', 'x'.repeat(31), 'x'.repeat(32), 'ä'.repeat(32)]) lab.publish(spec.alias, id, { id });
    lab.publish(spec.alias, 'without');
    await lab.home.settle();
    expectAccepted(lab, spec.alias, log);
  });

  it('note who must not get a message', async () => {
    const lab = await openLab();
    const { spec, log } = lab.open();
    lab.publish(spec.alias, 1, { origin: 77 });
    lab.publish(spec.alias, 2);
    lab.publish(spec.alias, 3, { origin: 2 ** 32 - 1 });
    await lab.home.settle();
    expectAccepted(lab, spec.alias, log);
  });

  it('acknowledge once each message that asks for it, and no other', async () => {
    const lab = await openLab();
    const [a, b] = [lab.open(), lab.open()];
    for (let i = 0; i < 100; i++) lab.publish((i % 3 === 0 ? a : b).spec.alias, i, { isAcked: i % 2 === 0 });
    await lab.home.settle();
    expect(lab.acks.size).toBe(50);
    expectAccepted(lab, a.spec.alias, a.log);
    expectAccepted(lab, b.spec.alias, b.log);
  });

  it('keep every message of many topics, and the order within each', async () => {
    const random = new Random(testSeed('topic home'));
    const lab = await openLab();
    const topics = Array.from({ length: 7 }, () => lab.open({ historyMessages: 4000 }));
    for (let i = 0; i < 4_000; i++) {
      const value = random.chance(0.01) ? 'x'.repeat(random.below(5000)) : random.u32();
      const { spec } = topics[random.below(topics.length)];
      const sent = { isAcked: random.chance(0.3), ...(random.chance(0.2) ? { id: `m${i}` } : {}) };
      // A full home takes it later: nothing is lost, and nothing comes twice.
      await lab.publishAnyway(spec.alias, value, sent);
    }
    await lab.home.settle();
    for (const { spec, log } of topics) expectAccepted(lab, spec.alias, log);
  });

  it('retain the newest messages that fit, when there are more', async () => {
    const lab = await openLab({ dataBytes: 4096, frames: 64 });
    const { spec, log } = lab.open({ historyMessages: 1000 });
    for (let i = 0; i < 500; i++) {
      await lab.publishAnyway(spec.alias, i);
    }
    lab.publish(spec.alias, 'x'.repeat(3000));
    await lab.home.settle();
    expectAccepted(lab, spec.alias, log);
    expect(log.retainedFrames).toBeGreaterThanOrEqual(35);
    expect(log.retainedFrames).toBeLessThanOrEqual(63);
  });
}

function describeHistory(openLab: OpenLab): void {
  const seqsOf = (log: Parameters<typeof readHistory>[0], spec: Parameters<typeof readHistory>[1], lastN: number) => {
    const view = new EventView();
    const { frames, seq } = readHistory(log, spec, { lastN }, 0);
    const seqs = frames.map(({ bytes, start, end }) => {
      expect(view.read(bytes, start, end)).toBe(true);
      return view.seq;
    });
    return { seqs, seq };
  };

  it('offer the last n messages, as many as there are', async () => {
    const lab = await openLab();
    const { spec, log } = lab.open({ historyMessages: 10 });
    expect(seqsOf(log, spec, 5)).toEqual({ seqs: [], seq: 0 });
    for (let i = 0; i < 4; i++) lab.publish(spec.alias, i);
    await lab.home.settle();
    expect(seqsOf(log, spec, 0)).toEqual({ seqs: [], seq: 4 });
    expect(seqsOf(log, spec, 1)).toEqual({ seqs: [4], seq: 4 });
    expect(seqsOf(log, spec, 3)).toEqual({ seqs: [2, 3, 4], seq: 4 });
    expect(seqsOf(log, spec, 100)).toEqual({ seqs: [1, 2, 3, 4], seq: 4 });
    expect(seqsOf(log, spec, Number.POSITIVE_INFINITY)).toEqual({ seqs: [1, 2, 3, 4], seq: 4 });
  });

  it('bound history by messages', async () => {
    const lab = await openLab();
    const { spec, log } = lab.open({ historyMessages: 10 });
    for (let i = 0; i < 25; i++) lab.publish(spec.alias, i);
    await lab.home.settle();
    expect(seqsOf(log, spec, 100).seqs).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
  });

  it('bound history by bytes, whole messages only', async () => {
    const lab = await openLab();
    const { spec, log } = lab.open({ historyBytes: 3 * 301 });
    for (let i = 0; i < 10; i++) lab.publish(spec.alias, 'x'.repeat(277));
    await lab.home.settle();
    // 21 bytes of head, 3 of the string's, 277 of text: 301.
    expect(seqsOf(log, spec, 100).seqs).toEqual([8, 9, 10]);
    expect(seqsOf(log, { ...spec, historyBytes: 3 * 301 - 1 }, 100).seqs).toEqual([9, 10]);
    lab.publish(spec.alias, 'x'.repeat(2000));
    await lab.home.settle();
    expect(seqsOf(log, spec, 100)).toEqual({ seqs: [], seq: 11 });
  });

  it('offer no history when it is off', async () => {
    const lab = await openLab();
    const { spec, log } = lab.open({ historyMessages: 0 });
    for (let i = 0; i < 3; i++) lab.publish(spec.alias, i);
    await lab.home.settle();
    expect(seqsOf(log, spec, 100)).toEqual({ seqs: [], seq: 3 });
  });
}

function describeJson(openLab: OpenLab): void {
  it('have a JSON stream that holds the history and follows', async () => {
    const lab = await openLab();
    const { spec, log } = lab.open();
    for (const value of ['a', { b: 1 }, new Uint8Array([1, 2, 3])])
      lab.publish(spec.alias, value, { id: 'm', origin: 5 });
    await lab.home.settle();
    const jsonLog = lab.home.link.openStream(spec.alias, JSON_STREAM, 2);
    lab.publish(spec.alias, 'later');
    await lab.home.settle();
    const canonical = framesOf(log);
    const frames = framesOf(jsonLog);
    expect(frames.map(({ seq }) => seq)).toEqual([2, 3, 4]);
    for (const { seq, bytes, origin, monotonicMs } of frames) {
      const wanted = canonical[seq - 1];
      expect(bytes).toEqual(eventToJson(spec.topic, wanted.bytes, 0, wanted.bytes.length));
      expect([origin, monotonicMs]).toEqual([wanted.origin, wanted.monotonicMs]);
      expect(json(bytes)).toMatchObject({ type: 'event', topic: spec.topic, seq });
    }
  });

  it('have one from before the first message on, too', async () => {
    const lab = await openLab();
    const { spec } = lab.open();
    const jsonLog = lab.home.link.openStream(spec.alias, JSON_STREAM, 1);
    await lab.home.settle();
    expect([jsonLog.tailSeq, jsonLog.headSeq]).toEqual([1, 0]);
    lab.publish(spec.alias, 'first');
    await lab.home.settle();
    expect(framesOf(jsonLog).map(({ bytes }) => json(bytes).seq)).toEqual([1]);
  });

  it('begin a JSON stream with what is left, when the messages it should begin with are gone', async () => {
    const lab = await openLab({ dataBytes: 4096, frames: 16 });
    const { spec, log } = lab.open();
    for (let i = 0; i < 100; i++) {
      await lab.publishAnyway(spec.alias, i);
    }
    await lab.home.settle();
    const jsonLog = lab.home.link.openStream(spec.alias, JSON_STREAM, 3);
    await lab.home.settle();
    log.refresh();
    expect(framesOf(jsonLog).map(({ seq }) => seq)).toEqual(framesOf(log).map(({ seq }) => seq));
    expect(jsonLog.tailSeq).toBeGreaterThan(80);
  });

  it('append nothing to a closed JSON stream, and start a new one', async () => {
    const lab = await openLab();
    const { spec, log } = lab.open();
    const first = lab.home.link.openStream(spec.alias, JSON_STREAM, 1);
    lab.publish(spec.alias, 1);
    lab.home.link.closeStream(spec.alias, JSON_STREAM.key);
    lab.publish(spec.alias, 2);
    await lab.home.settle();
    first.refresh();
    expect(first.headSeq).toBe(1);
    const second = lab.home.link.openStream(spec.alias, JSON_STREAM, 2);
    // The first one's memory may be the second one's now: nobody reads it any more.
    lab.publish(spec.alias, 3);
    await lab.home.settle();
    expect(framesOf(second).map(({ bytes }) => json(bytes).seq)).toEqual([2, 3]);
    expectAccepted(lab, spec.alias, log);
  });

  it('announce a message whose JSON form is too large for its log', async () => {
    const lab = await openLab({ dataBytes: 4096, frames: 64 });
    const { spec, log } = lab.open();
    const jsonLog = lab.home.link.openStream(spec.alias, JSON_STREAM, 1);
    lab.publish(spec.alias, 'small');
    // A control character is one byte of MessagePack and six of JSON.
    lab.publish(spec.alias, '\u0001'.repeat(1000));
    lab.publish(spec.alias, 'small again');
    await lab.home.settle();
    expectAccepted(lab, spec.alias, log);
    const messages = framesOf(jsonLog).map(({ bytes }) => json(bytes));
    expect(messages.map(({ type }) => type)).toEqual(['event', 'gap', 'event']);
    expect(messages[1]).toMatchObject({ topic: spec.topic, from_seq: 2, to_seq: 2, reason: 'too_large' });
  });

  it('transcode any payload that is one MessagePack value', async () => {
    const lab = await openLab();
    const { spec, log } = lab.open();
    const jsonLog = lab.home.link.openStream(spec.alias, JSON_STREAM, 1);
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    const values = [
      Number.NaN,
      2n ** 63n,
      -(2n ** 63n),
      new Date(0),
      nested(99),
      '\ufeff',
      { '': {} },
      Number.MAX_VALUE,
    ];
    for (const value of values) lab.publish(spec.alias, value);
    await lab.home.settle();
    expect(framesOf(jsonLog).map(({ bytes }) => json(bytes).seq)).toEqual(values.map((_, i) => i + 1));
    expectAccepted(lab, spec.alias, log);
  });
}

function describeLife(openLab: OpenLab): void {
  it('end without harm to others, and may begin again', async () => {
    const lab = await openLab();
    const { link } = lab.home;
    const [gone, stays] = [lab.open(), lab.open()];
    link.openStream(gone.spec.alias, JSON_STREAM, 1);
    for (const { spec } of [gone, stays]) lab.publish(spec.alias, 'before', { isAcked: true });
    link.closeTopic(gone.spec.alias);
    lab.publish(stays.spec.alias, 'after', { isAcked: true });
    const again = lab.open({ topic: gone.spec.topic });
    lab.publish(again.spec.alias, 'new', { isAcked: true });
    await lab.home.settle();
    expectAccepted(lab, stays.spec.alias, stays.log);
    expectAccepted(lab, again.spec.alias, again.log);
    expect(lab.acks.size, 'also what was accepted before the end').toBe(4);
    gone.log.refresh();
    expect(gone.log.headSeq).toBe(1);
  });

  it('come and go by the hundred', async () => {
    const lab = await openLab({ dataBytes: 4096, frames: 16 });
    for (let round = 0; round < 300; round++) {
      const { spec, log } = lab.open();
      await lab.publishAnyway(spec.alias, round);
      const jsonLog = lab.home.link.openStream(spec.alias, JSON_STREAM, 1);
      if (round % 2 === 0) lab.home.link.closeStream(spec.alias, JSON_STREAM.key);
      if (round % 50 === 0) {
        await lab.home.settle();
        expectAccepted(lab, spec.alias, log);
        expect(framesOf(jsonLog)).toHaveLength(1);
      }
      lab.home.link.closeTopic(spec.alias);
    }
    await lab.home.settle();
    const { spec, log } = lab.open();
    lab.publish(spec.alias, 'last', { isAcked: true });
    await lab.home.settle();
    expectAccepted(lab, spec.alias, log);
  });
}
