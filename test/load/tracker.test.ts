// The accounting of deliveries: what a server loses, doubles, mixes up or damages is counted, exactly.
import { describe, expect, it } from 'vitest';
import { createPayloadForm, formBytes, type Protocol } from '#src/load/dialects.js';
import { Tracker, UNTIMED } from '#src/load/tracker.js';
import { seededRandom } from '../support/seeded.js';

const PAYLOAD_BYTES = 100;
const RUN = 7;

/** A tracker, and deliveries that reach it as bytes. */
class Lab {
  readonly bytes = new Uint8Array(1024);
  readonly view = new DataView(this.bytes.buffer);
  readonly tracker: Tracker;
  readonly published: Int32Array;
  readonly #length: number;
  readonly #form;

  constructor(topics: number, protocol: Protocol = 'ringcast', untimed: readonly number[] = []) {
    this.#length = formBytes(protocol, PAYLOAD_BYTES);
    this.#form = createPayloadForm(protocol, PAYLOAD_BYTES, RUN);
    this.published = new Int32Array(topics);
    this.tracker = new Tracker({
      topics,
      form: createPayloadForm(protocol, PAYLOAD_BYTES, RUN),
      topicClass: (topic) => (untimed.includes(topic) ? UNTIMED : 0),
      classNames: ['all'],
      buffer: this,
    });
  }

  deliver(connection: number, topic: number, seq: number, damagedAt = -1, sentMs = 1000): void {
    this.#form.fill(this.bytes, 10, 10 + this.#length);
    this.#form.write(this.bytes, this.view, 10, 10 + this.#length, topic, seq, sentMs);
    if (damagedAt >= 0) this.bytes[10 + damagedAt] ^= 1;
    this.tracker.payload(connection, 10, 10 + this.#length);
  }

  verify() {
    return this.tracker.verify(this.published);
  }
}

const CLEAN = { complete: true, lost: 0, doubled: 0, reordered: 0, corrupt: 0, gapMessages: 0 };

describe.each<Protocol>(['ringcast', 'json'])('the accounting of %s payloads', (protocol) => {
  it('is satisfied by every message of every subscription, once and in order', () => {
    const lab = new Lab(3, protocol);
    for (const [connection, topic] of [
      [0, 0],
      [0, 2],
      [1, 2],
    ] as const)
      lab.tracker.expect(connection, topic);
    for (let seq = 1; seq <= 100; seq++) {
      lab.published.set([seq, 0, seq]);
      for (const [connection, topic] of [
        [0, 0],
        [0, 2],
        [1, 2],
      ] as const)
        lab.deliver(connection, topic, seq);
    }
    expect(lab.verify()).toEqual({ ...CLEAN, expected: 300, delivered: 300 });
  });

  it('counts what is lost, in the middle and at the end', () => {
    const lab = new Lab(1, protocol);
    lab.tracker.expect(0, 0);
    lab.published[0] = 10;
    for (const seq of [1, 2, 5, 6, 8]) lab.deliver(0, 0, seq);
    expect(lab.verify()).toEqual({ ...CLEAN, complete: false, expected: 10, delivered: 5, lost: 5 });
  });

  it('tells a late message from a doubled one', () => {
    const lab = new Lab(1, protocol);
    lab.tracker.expect(0, 0);
    lab.published[0] = 6;
    for (const seq of [1, 3, 4, 2, 2, 4, 6, 5, 1]) lab.deliver(0, 0, seq);
    expect(lab.verify()).toEqual({ ...CLEAN, complete: false, expected: 6, delivered: 6, reordered: 2, doubled: 3 });
  });

  it('counts a damaged message as damaged and as lost, wherever the damage is', () => {
    const bytes = formBytes(protocol, PAYLOAD_BYTES);
    const lab = new Lab(1, protocol);
    lab.tracker.expect(0, 0);
    const isLookedAt = Array.from({ length: bytes }, () => false);
    let seq = 0;
    for (let damagedAt = 0; damagedAt < bytes; damagedAt++) {
      // Of the filler not every byte is looked at in every message.
      for (let message = 0; message < 16; message++) {
        lab.published[0] = ++seq;
        const before = lab.verify().corrupt;
        lab.deliver(0, 0, seq, damagedAt);
        isLookedAt[damagedAt] ||= lab.verify().corrupt > before;
      }
    }
    expect(isLookedAt).not.toContain(false);
    const { corrupt, lost, doubled, reordered } = lab.verify();
    expect({ doubled, reordered }).toEqual({ doubled: 0, reordered: 0 });
    expect(lost).toBe(corrupt);
  });

  it('counts messages of another run, of another length, and to nobody who subscribed as not ours', () => {
    const lab = new Lab(2, protocol);
    lab.tracker.expect(0, 0);
    lab.deliver(0, 1, 1);
    lab.deliver(5, 0, 1);
    lab.tracker.payload(0, 10, 50);
    const foreign = createPayloadForm(protocol, PAYLOAD_BYTES, RUN + 1);
    const end = 10 + formBytes(protocol, PAYLOAD_BYTES);
    foreign.fill(lab.bytes, 10, end);
    foreign.write(lab.bytes, lab.view, 10, end, 0, 1, 1000);
    lab.tracker.payload(0, 10, end);
    expect(lab.verify()).toEqual({ ...CLEAN, complete: false, expected: 0, delivered: 0, corrupt: 4 });
  });
});

describe('the tracker', () => {
  it('agrees with a plain model over random losses, repetitions and delays', () => {
    const random = seededRandom(2026);
    for (let round = 0; round < 50; round++) {
      const lab = new Lab(1);
      lab.tracker.expect(0, 0);
      const count = 60;
      lab.published[0] = count;
      const sequence = Array.from({ length: count }, (_, index) => index + 1).filter(() => random() > 0.1);
      for (let swap = 0; swap < 5; swap++) {
        const at = Math.floor(random() * (sequence.length - 1));
        [sequence[at], sequence[at + 1]] = [sequence[at + 1], sequence[at]];
      }
      for (let copy = 0; copy < 5; copy++) sequence.push(sequence[Math.floor(random() * sequence.length)]);
      const seen = new Set<number>();
      let highest = 0;
      let doubled = 0;
      let reordered = 0;
      for (const seq of sequence) {
        if (seen.has(seq)) doubled++;
        else if (seq < highest) reordered++;
        highest = Math.max(highest, seq);
        seen.add(seq);
        lab.deliver(0, 0, seq);
      }
      const expected = { delivered: seen.size, lost: count - seen.size, doubled, reordered, corrupt: 0 };
      expect(lab.verify()).toMatchObject(expected);
    }
  });

  it('keeps few subscriptions of many connections and topics apart', () => {
    const topics = 100_000;
    const lab = new Lab(topics);
    const random = seededRandom(1);
    const subscriptions = Array.from({ length: 20_000 }, (_, index) => {
      return [index % 15_000, Math.floor(random() * topics)] as const;
    });
    for (const [connection, topic] of subscriptions) lab.tracker.expect(connection, topic);
    lab.published.fill(1);
    for (const [connection, topic] of new Set(subscriptions)) lab.deliver(connection, topic, 1);
    const { delivered, lost, corrupt } = lab.verify();
    expect({ delivered, lost, corrupt }).toEqual({ delivered: lab.tracker.subscriptionCount, lost: 0, corrupt: 0 });
    expect(delivered).toBeGreaterThan(19_900);
  });

  it('expects nothing more of who has unsubscribed or is excluded', () => {
    const lab = new Lab(2);
    for (const connection of [0, 1]) for (const topic of [0, 1]) lab.tracker.expect(connection, topic);
    lab.tracker.exclude(0);
    lab.tracker.forget(1, 0);
    lab.published.set([5, 1]);
    lab.deliver(1, 1, 1);
    expect(lab.verify()).toEqual({ ...CLEAN, expected: 1, delivered: 1 });
  });

  it('counts probes apart from messages, each subscription once', () => {
    const lab = new Lab(1);
    lab.tracker.expect(0, 0);
    lab.tracker.expect(1, 0);
    for (const connection of [0, 0, 1]) lab.deliver(connection, 0, 0);
    expect(lab.tracker.probedCount).toBe(2);
    expect(lab.verify()).toEqual({ ...CLEAN, expected: 0, delivered: 0 });
  });

  it('times deliveries whose publisher has the same clock, from the end of the warm-up on', () => {
    const lab = new Lab(2, 'ringcast', [1]);
    for (const topic of [0, 1]) lab.tracker.expect(0, topic);
    lab.tracker.timedFromMs = 2000;
    lab.tracker.nowMs = 2005;
    lab.deliver(0, 0, 1, -1, 1999);
    lab.deliver(0, 0, 2, -1, 2000);
    lab.deliver(0, 1, 1, -1, 2000);
    expect(lab.tracker.timed).toBe(1);
    expect(lab.tracker.latency().all).toMatchObject({ count: 1, maxMicros: 5000 });
  });
});
