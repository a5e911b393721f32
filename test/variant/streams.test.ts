// Any number of derived streams beside the canonical one, also some that do not have every message: through moves and the
// deaths of lanes, from any first number on.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COLD } from '#src/home/placement.js';
import { EventView } from '#src/protocol/event.js';
import type { StreamSpec } from '#src/variant/stream-spec.js';
import { VARIANTS } from '#src/variant/variants.js';
import { Feed, move, open, range, seqsOf, TOPIC, topicOf } from '../moves/move-lab.js';
import { Random, testSeed } from '../ring/random.js';
import { DEFAULTS, type RouterClient, type RouterLab } from '../router/router-lab.js';

const FIRST_SEQ = 2 ** 40;
const START = { epoch: 'given', firstSeq: FIRST_SEQ };

/** Has the messages whose number can be divided by its option. */
const everyNth = (n: number): StreamSpec => ({ key: `every ${n}`, kind: 'every', codec: 'msgpack', options: n });

beforeAll(() => {
  const view = new EventView();
  VARIANTS.every = (n) => ({
    derive: (_topic, frame) => (view.read(frame, 0, frame.length) && view.seq % (n as number) === 0 ? frame : null),
    gap: () => {
      throw new Error('every message has a form here');
    },
  });
});

afterAll(() => {
  delete VARIANTS.every;
});

/** A client whose connection asks for another stream than those of its codec. */
function clientOf(lab: RouterLab, spec: StreamSpec): RouterClient {
  const client = lab.client();
  Object.assign(client.session.consumer, { spec });
  return client;
}

function openAt(options = {}): RouterLab {
  const lab = open(options);
  lab.topics.delete(TOPIC);
  lab.topics.declare(TOPIC, START);
  return lab;
}

const multiplesOf = (n: number, from: number, to: number): number[] => range(from, to).filter((seq) => seq % n === 0);

describe('derived streams', () => {
  it('have their messages and no gaps, wherever the topic goes and whatever its lanes die of', () => {
    const random = new Random(testSeed('derived streams'));
    for (let round = 0; round < 20; round++) {
      const lab = openAt();
      const feed = new Feed(lab);
      const followers = [1, 2, 3, 7].map((n) => ({ n, client: clientOf(lab, everyNth(n)) }));
      const [binary, text] = [lab.client(), lab.jsonClient()];
      for (const { client } of [...followers, { client: binary }]) client.send({ type: 'subscribe', topic: TOPIC });
      text.sendJson({ type: 'subscribe', topic: TOPIC });
      const changes = [
        () => feed.publishMany(1 + random.below(12)),
        () => move(lab, random.below(3) - 1),
        () => lab.threads.alive[random.below(2)]?.die(new Error('killed')),
        () => lab.threads.step(),
        () => lab.advance(random.below(4)),
      ];
      for (let step = 0; step < 60; step++) changes[random.below(changes.length)]();
      // Lanes that died are missed, and start again.
      lab.advance(2000);
      feed.publishMany(5);
      lab.advance(50);
      const last = FIRST_SEQ + feed.accepted.length - 1;
      expect([...feed.outcomes.values()]).toEqual(range(FIRST_SEQ, last));
      expect(seqsOf(binary)).toEqual(range(FIRST_SEQ, last));
      expect(text.takeJson().flatMap(({ type, seq }) => (type === 'event' ? [seq] : [type]))).toEqual([
        ...range(FIRST_SEQ, last),
      ]);
      for (const { n, client } of followers) {
        const seqs = client
          .take()
          .filter(({ type }) => type !== 'ok')
          .map((frame) => (frame.type === 'event' ? frame.seq : frame.type));
        expect(seqs).toEqual([...multiplesOf(n, FIRST_SEQ, last)]);
      }
      lab.topics.delete(TOPIC);
      lab.advance(50);
      expect(lab.lanes.links.map(({ parcels, endedLogs }) => [parcels.length, endedLogs])).toEqual([
        [0, 0],
        [0, 0],
      ]);
    }
  });

  it('tell who lags exactly which numbers are gone, not counting those that they never had', () => {
    const lab = openAt({ registry: { defaults: { ...DEFAULTS, maxLagMessages: 3 } } });
    const feed = new Feed(lab);
    const client = clientOf(lab, everyNth(3));
    client.send({ type: 'subscribe', topic: TOPIC });
    feed.publishMany(6);
    expect(seqsOf(client)).toEqual(multiplesOf(3, FIRST_SEQ, FIRST_SEQ + 5));
    const before = multiplesOf(3, FIRST_SEQ, FIRST_SEQ + 5).at(-1)!;
    lab.delivery.blocked(client.session.consumer);
    feed.publishMany(30);
    lab.settle();
    lab.delivery.drained(client.session.consumer);
    const seqs = multiplesOf(3, before + 1, FIRST_SEQ + 35);
    expect(client.takeShort()).toEqual([
      `gap ${before + 1}-${seqs.at(-4)}`,
      ...seqs.slice(-3).map((seq) => `event ${seq}`),
    ]);
  });

  it('begin with the history, in seqs of the topic', () => {
    for (const lane of [COLD, 0]) {
      const lab = openAt();
      const feed = new Feed(lab);
      move(lab, lane);
      lab.advance(5);
      feed.publishMany(20);
      lab.settle();
      const client = clientOf(lab, everyNth(5));
      client.send({ type: 'subscribe', id: 1, topic: TOPIC, options: { lastN: 12 } });
      const [ok, ...events] = client.take();
      expect(ok).toMatchObject({ type: 'ok', result: { epoch: 'given', seq: FIRST_SEQ + 7 } });
      expect(events.map((frame) => (frame.type === 'event' ? frame.seq : frame.type))).toEqual(
        multiplesOf(5, FIRST_SEQ + 8, FIRST_SEQ + 19),
      );
      expect(topicOf(lab).streams).toHaveLength(1);
    }
  });
});

describe('a topic that goes on elsewhere', () => {
  it.each([
    [{ epoch: '', firstSeq: 1 }, /epoch/],
    [{ epoch: 'x'.repeat(65), firstSeq: 1 }, /epoch/],
    [{ epoch: 7, firstSeq: 1 }, /epoch/],
    [{ epoch: 'e', firstSeq: 0 }, /firstSeq/],
    [{ epoch: 'e', firstSeq: 1.5 }, /firstSeq/],
    [{ epoch: 'e', firstSeq: 2 ** 50 }, /firstSeq/],
  ])('is refused with %j', (start, message) => {
    const lab = open();
    expect(() => lab.topics.declare('new', start as typeof START)).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST', message: expect.stringMatching(message) }),
    );
    expect(lab.topics.find('new')).toBe(undefined);
  });

  it('is a conflict where it exists already', () => {
    const lab = open();
    expect(() => lab.topics.declare(TOPIC, START)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
  });
});
