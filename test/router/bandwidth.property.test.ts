// Whatever is changed, moved, blocked or dies meanwhile: a subscription that is slowed down gets everything in its order, or
// is told the exact range of what it does not get, and in the end has all there is.

import { expect, it } from 'vitest';
import type { ServerMessage } from '#src/protocol/messages.js';
import { seededRandom } from '../support/seeded.js';
import { type RouterClient, RouterLab } from './router-lab.js';

const STEPS = 60;
const TOPIC = 't';

class History {
  readonly lab = new RouterLab({
    laneRingBytes: 2 ** 18,
    lanes: 2,
    registry: { rules: [{ match: '*', home: 'auto', retainMs: 3_600_000, keyed: true }] },
  });
  readonly #random: (below: number) => number;
  readonly #feed = this.lab.client();
  readonly #client: RouterClient;
  #head = 0;
  /** The last message that the reader has had, or knows that it will not get. */
  #seq = 0;
  #isBlocked = false;

  constructor(seed: number) {
    const random = seededRandom(seed);
    this.#random = (below) => Math.floor(random() * below);
    this.lab.topics.declare(TOPIC);
    this.#client = this.lab.client();
    const durable = seed % 3 === 0 ? { durable: 'd', maxUnacked: 1 + this.#random(5) } : {};
    const options = { maxBandwidth: this.#rate(), ...durable };
    this.#client.send({ type: 'subscribe', topic: TOPIC, options });
  }

  /** Returns after how many steps it was behind. */
  run(): number {
    let behind = 0;
    for (let step = 0; step < STEPS; step++) {
      this.#act();
      this.lab.advance(this.#random(200));
      this.#read();
      if (this.#seq < this.#head) behind++;
    }
    if (this.#isBlocked) this.#block();
    for (let round = 0; round < 500 && this.#seq < this.#head; round++) {
      this.lab.advance(1000);
      this.#read();
    }
    expect(this.#seq).toBe(this.#head);
    expect(this.lab.faults).toEqual([]);
    const { timerCount } = this.lab.scheduler;
    this.#client.close();
    this.lab.settle();
    expect(this.lab.scheduler.timerCount).toBeLessThanOrEqual(timerCount);
    expect(this.lab.delivery.load.subscriptions).toBe(0);
    return behind;
  }

  #rate(): number {
    return [0, 1000, 5000, 50_000][this.#random(4)];
  }

  #act(): void {
    const random = this.#random;
    const entry = this.lab.topics.find(TOPIC)!;
    switch (random(8)) {
      case 0:
        this.#client.send({ type: 'update', topic: TOPIC, options: { maxBandwidth: this.#rate() } });
        break;
      case 1: {
        const mode = random(2) === 0 ? 'every' : 'latest';
        const rate = random(2) === 0 ? { maxBandwidth: this.#rate() } : {};
        this.#client.send({ type: 'update', topic: TOPIC, options: { mode, ...rate } });
        break;
      }
      case 2:
        this.#block();
        break;
      case 3:
        this.lab.settle();
        if (entry.isHot && random(2) === 0) {
          this.lab.threads.alive[random(this.lab.threads.alive.length)]?.die(new Error('killed'));
          this.lab.advance(400);
        } else this.lab.handOver.move(entry, random(3) - 1, () => {});
        this.lab.advance(5);
        break;
      default:
        for (let left = random(12); left > 0; left--) {
          const payload = 'x'.repeat(random(random(4) === 0 ? 3000 : 60));
          const key = 'abc'[random(3)];
          this.#feed.send({ type: 'publish', topic: TOPIC, payload, options: { key } });
          this.#head++;
        }
    }
  }

  #block(): void {
    const { consumer } = this.#client.session;
    this.#isBlocked = !this.#isBlocked;
    if (this.#isBlocked) this.lab.delivery.blocked(consumer);
    else this.lab.delivery.drained(consumer);
  }

  #read(): void {
    for (const frame of this.#client.take()) this.#hear(frame);
  }

  #hear(frame: ServerMessage): void {
    if (frame.type === 'snapshot') {
      expect(frame.seq).toBeGreaterThanOrEqual(this.#seq);
      if (frame.last) this.#has(frame.seq);
    } else if (frame.type === 'event') {
      expect(frame.seq).toBe(this.#seq + 1);
      this.#has(frame.seq);
    } else if (frame.type === 'gap') {
      expect(frame.fromSeq).toBe(this.#seq + 1);
      expect(frame.reason).toBe('merged');
      this.#seq = frame.toSeq;
    } else expect(frame).toBeUndefined();
  }

  /** And has processed it, where that counts. */
  #has(seq: number): void {
    this.#seq = seq;
    const alias = this.lab.topics.find(TOPIC)!.spec.alias;
    if (this.#client.session.consumer.meters?.get(alias)?.acking) this.#client.send({ type: 'ack', topic: alias, seq });
  }
}

it('what is slowed down misses nothing unsaid, in any history', () => {
  let behind = 0;
  for (let seed = 1; seed <= 60; seed++) {
    try {
      behind += new History(seed).run();
    } catch (failure) {
      throw new Error(`history ${seed}`, { cause: failure });
    }
  }
  expect(behind).toBeGreaterThan(500);
}, 120_000);
