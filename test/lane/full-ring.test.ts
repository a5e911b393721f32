// A lane whose ring is full: publishers are told, nothing is lost, nothing comes twice, nothing overtakes.

import { afterEach, describe, expect, it } from 'vitest';
import { type OutgoingMessage, PUBLISH_ACCEPTED, PUBLISH_FULL } from '#src/home/link.js';
import type { LaneDeath } from '#src/lane/supervised-lane.js';
import { encode } from '#src/protocol/msgpack.js';
import { JSON_STREAM } from '#src/variant/stream-spec.js';
import { Random, testSeed } from '../ring/random.js';
import { outgoing } from '../support/outgoing.js';
import { noDeaths, SteppedLane, ThreadedLane } from '../topic/homes.js';
import { framesOf, LARGE } from '../topic/topic-home.js';
import { valuesOf } from './lane-lab.js';

const RING_BYTES = 4096;
const SPEC = { epoch: 'e', historyMessages: 100, historyBytes: 2 ** 20 };

function message(value: unknown, request = 0): OutgoingMessage {
  return outgoing(encode(value), { timeMs: 1, monotonicMs: 1, request });
}

const notPutAside = (request: number): void => {
  throw new Error(`message ${request} was put aside`);
};

describe('a full request ring', () => {
  const lanes: SteppedLane[] = [];
  const open = () => {
    const reports = { acks: [] as [number, number][], heads: [] as number[] };
    const lane = new SteppedLane(RING_BYTES, LARGE, {
      onHead: (alias) => reports.heads.push(alias),
      onAck: (request, seq) => reports.acks.push([request, seq]),
      onPutAside: notPutAside,
    });
    lanes.push(lane);
    return { lane, link: lane.link, reports };
  };
  const fill = (lane: SteppedLane, alias: number): number => {
    let accepted = 0;
    while (lane.link.publish(alias, message(accepted)) === PUBLISH_ACCEPTED) accepted++;
    return accepted;
  };
  afterEach(() => {
    for (const lane of lanes.splice(0)) lane.close();
  });

  it('refuses messages until the lane has taken some, and has not accepted the refused ones', () => {
    const { lane, link, reports } = open();
    const log = link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    const accepted = fill(lane, 1);
    expect(accepted).toBeGreaterThan(50);
    expect(link.publish(1, message('refused', 9))).toBe(PUBLISH_FULL);
    expect(link.fillPercent()).toBeGreaterThan(90);
    lane.settle();
    expect(link.publish(1, message('late', 10))).toBe(PUBLISH_ACCEPTED);
    lane.settle();
    expect(valuesOf(log)).toEqual([...Array.from({ length: accepted }, (_, i) => i), 'late']);
    expect(reports.acks).toEqual([[10, accepted + 1]]);
  });

  it('shows the lane what was accepted, so that a burst does not end in a standstill', () => {
    const { lane, link } = open();
    const log = link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    const accepted = fill(lane, 1);
    // No turn of the event loop in between.
    while (lane.threads.step());
    expect(valuesOf(log)).toHaveLength(accepted);
  });

  it('defers what must not be refused, and lets nothing overtake it', () => {
    const { lane, link } = open();
    const log = link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    lane.settle();
    const accepted = fill(lane, 1);
    const second = link.openTopic({ ...SPEC, alias: 2, topic: 'second' });
    const jsonLog = link.openStream(1, JSON_STREAM, 1);
    expect(link.publish(2, message('too early')), 'behind what is deferred').toBe(PUBLISH_FULL);
    link.closeStream(1, JSON_STREAM.key);
    const jsonAgain = link.openStream(1, JSON_STREAM, 1);
    link.closeTopic(2);
    const third = link.openTopic({ ...SPEC, alias: 3, topic: 'third' });
    lane.settle();
    expect(link.publish(3, message('in time'))).toBe(PUBLISH_ACCEPTED);
    lane.settle();
    expect(valuesOf(log)).toHaveLength(accepted);
    expect(framesOf(jsonLog)).toHaveLength(accepted);
    expect(framesOf(jsonAgain)).toHaveLength(accepted);
    expect(valuesOf(second)).toEqual([]);
    expect(valuesOf(third)).toEqual(['in time']);
  });

  it('makes up for what was deferred as soon as there is room, before the next message', () => {
    const { lane, link } = open();
    link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    lane.settle();
    fill(lane, 1);
    // A record without payload may just fit; the later ones do not.
    const logs = [2, 3, 4, 5].map((alias) => link.openTopic({ ...SPEC, alias, topic: `t${alias}` }));
    while (lane.threads.step());
    // No turn of the event loop in between.
    expect(link.publish(5, message('behind its topic'))).toBe(PUBLISH_ACCEPTED);
    lane.settle();
    expect(valuesOf(logs[3])).toEqual(['behind its topic']);
  });

  it('defers the request to stop, which ends the lane after everything before it', () => {
    const { lane, link } = open();
    const log = link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    lane.settle();
    const accepted = fill(lane, 1);
    link.stop();
    lane.settle();
    expect(valuesOf(log)).toHaveLength(accepted);
  });

  it('takes a message again as soon as there is room, whatever the sizes', () => {
    const random = new Random(testSeed('full ring'));
    const { lane, link, reports } = open();
    const logs = [1, 2].map((alias) => link.openTopic({ ...SPEC, alias, topic: `t${alias}` }));
    const accepted: string[][] = [[], []];
    let refused = 0;
    for (let i = 0; i < 3_000; i++) {
      const alias = 1 + random.below(2);
      const value = `${i} ${'x'.repeat(random.below(600))}`;
      const result = link.publish(alias, message(value, i + 1));
      if (result === PUBLISH_ACCEPTED) accepted[alias - 1].push(value);
      else refused++;
      if (random.chance(0.1)) lane.turn();
      if (random.chance(0.1)) lane.threads.step();
      if (random.chance(0.1)) link.drainEvents();
    }
    lane.settle();
    expect(refused).toBeGreaterThan(100);
    for (const [index, log] of logs.entries()) {
      const values = valuesOf(log);
      expect(values).toEqual(accepted[index].slice(-values.length));
      expect(log.headSeq).toBe(accepted[index].length);
    }
    expect(reports.acks.length).toBe(accepted[0].length + accepted[1].length);
    expect(new Set(reports.acks.map(([request]) => request)).size).toBe(reports.acks.length);
  });
});

describe('a lane in its own thread', () => {
  it('loses and doubles nothing while its ring runs full again and again', async () => {
    const acks = new Map<number, number>();
    let doubled = 0;
    const lane = new ThreadedLane(RING_BYTES, LARGE, {
      onHead: () => {},
      onAck: (request, seq) => {
        if (acks.has(request)) doubled++;
        acks.set(request, seq);
      },
      onPutAside: notPutAside,
    });
    try {
      await lane.ready();
      const log = lane.link.openTopic({ ...SPEC, alias: 1, topic: 't' });
      let refused = 0;
      for (let i = 0; i < 20_000; ) {
        if (lane.link.publish(1, message(i, i + 1)) === PUBLISH_ACCEPTED) i++;
        else {
          refused++;
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      await lane.settle();
      expect(refused).toBeGreaterThan(10);
      expect(doubled).toBe(0);
      expect(acks.size).toBe(20_000);
      for (const [request, seq] of acks) if (seq !== request) throw new Error(`message ${request} became ${seq}`);
      const values = valuesOf(log);
      expect(values).toEqual(Array.from({ length: values.length }, (_, i) => 20_000 - values.length + i));
    } finally {
      await lane.close();
    }
  });

  it('does everything that was accepted before it stops', async () => {
    let acks = 0;
    const lane = new ThreadedLane(2 ** 20, LARGE, {
      onHead: () => {},
      onAck: () => acks++,
      onPutAside: notPutAside,
    });
    await lane.ready();
    const log = lane.link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    for (let i = 0; i < 3_000; i++) expect(lane.link.publish(1, message(i, i + 1))).toBe(PUBLISH_ACCEPTED);
    await lane.close();
    lane.link.drainEvents();
    log.refresh();
    expect(log.headSeq).toBe(3_000);
    expect(acks).toBe(3_000);
  });

  it('ends with a fault when a record makes no sense, and its successor passes over it', async () => {
    const deaths: LaneDeath[] = [];
    const acks: number[] = [];
    let onRecovered = () => {};
    const recovered = new Promise<void>((resolve) => {
      onRecovered = resolve;
    });
    const lane = new ThreadedLane(
      2 ** 16,
      LARGE,
      { onHead: () => {}, onAck: (request) => acks.push(request), onPutAside: notPutAside },
      { ...noDeaths, onDeath: (death) => deaths.push(death), onRecovered },
    );
    await lane.ready();
    const log = lane.link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    lane.link.publish(1, message('before', 1));
    lane.link.publish(77, message('to nowhere', 2));
    lane.link.publish(1, message('after', 3));
    await recovered;
    await lane.settle();
    expect(deaths).toMatchObject([{ lane: 0, reason: 'died' }]);
    expect(String(deaths[0]?.fault)).toContain('a message to topic 77, which is not open here');
    expect(valuesOf(log)).toEqual(['before', 'after']);
    expect(acks).toContain(3);
    expect(acks).not.toContain(2);
    await lane.close();
  });
});
