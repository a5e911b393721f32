// Cohorts against a model of their transport: whoever stops reading, whenever, and whatever else happens, each subscription
// gets every message once and in order, or is told which it does not get; and little waits for those who do not read.

import { afterEach, describe, expect, it } from 'vitest';
import { BLOCKED, type Consumer } from '#src/delivery/consumer.js';
import { type GroupSink, SEND_OK, type SendResult } from '#src/delivery/sink.js';
import { policyNumber } from '#src/delivery/slow-consumer.js';
import { DELAY_OF_STREAM } from '#src/delivery/subscription-table.js';
import { SLICE_MAX_BYTES, UNSWEPT_MAX_BYTES } from '#src/limits.js';
import { decodeServerFrames } from '#src/protocol/client-frames.js';
import { jsonEncoder } from '#src/protocol/encoder-json.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { Random, testSeed } from '../ring/random.js';
import { faults } from '../simulation/faults.js';
import { TopicTree, TreeSocket } from '../support/topic-tree.js';
import { BROKEN_COHORTS } from './broken-cohorts.js';
import { DeliveryLab, type LabTopic } from './delivery-lab.js';

const LIVES = 100;
const ACTIONS = 250;
const TURNS_MAX = 10_000;
const BACKPRESSURE_MAX_BYTES = 2 ** 20;
const LARGE_FRAME_BYTES = 40_000;
/** What may wait for one that does not read: what is published until it is looked for, and one message behind it. */
const WAITING_MAX_BYTES = UNSWEPT_MAX_BYTES + SLICE_MAX_BYTES + LARGE_FRAME_BYTES;
const utf8 = new TextDecoder();

interface Heard {
  readonly topic: number;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly isLost: boolean;
}

/** A subscriber behind a socket, which checks what it gets. */
class Subscriber implements GroupSink {
  readonly socket: TreeSocket;
  readonly consumer: Consumer;
  /** Next seq by topic. */
  readonly followed = new Map<LabTopic, number>();
  /** Messages until it stops reading. */
  readsUntil = Number.POSITIVE_INFINITY;
  delivered = 0;
  lost = 0;
  joins = 0;
  readonly #life: Life;
  readonly #isText: boolean;

  constructor(life: Life, isText: boolean) {
    this.#life = life;
    this.#isText = isText;
    this.socket = new TreeSocket(
      life.tree,
      (message) => this.#hear(message),
      () => --this.readsUntil > 0,
    );
    this.socket.onDropped = () => life.fail('a message was dropped');
    const encoder = isText ? jsonEncoder : msgpackEncoder;
    this.consumer = life.lab.delivery.addGroupConsumer(this, encoder, life.tree);
  }

  streamOf(topic: LabTopic) {
    return this.#isText ? topic.jsonStream : topic.stream;
  }

  subscribe(topic: LabTopic, delayMs: number): void {
    if (this.followed.has(topic)) return;
    const stream = this.streamOf(topic);
    const cursor = stream.log.headSeq + 1;
    this.followed.set(topic, cursor);
    this.#life.lab.delivery.subscribe(this.consumer, stream, { cursor, policy: policyNumber('drop_oldest'), delayMs });
  }

  unsubscribe(topic: LabTopic): void {
    this.#life.lab.delivery.unsubscribe(this.consumer, this.streamOf(topic));
    // The OK follows at once, and nothing may come after it.
    this.#life.tree.drain(this.socket);
    if (!this.socket.isFull) this.followed.delete(topic);
  }

  readOn(): void {
    this.readsUntil = Number.POSITIVE_INFINITY;
    this.socket.read();
    this.#life.lab.delivery.drained(this.consumer);
  }

  close(): void {
    this.socket.close();
    this.#life.lab.delivery.removeConsumer(this.consumer);
  }

  // ---- its transport -----------------------------------------------------------------------------------------------

  send(message: Uint8Array): SendResult {
    return this.#send([message]);
  }

  sendEach(bytes: Uint8Array, ends: readonly number[]): SendResult {
    return this.#send(ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end)));
  }

  #send(messages: readonly Uint8Array[]): SendResult {
    if ((this.consumer.flags & BLOCKED) !== 0) this.#life.fail('it is sent something although it is blocked');
    let result: SendResult = SEND_OK;
    for (const message of messages) result = Math.max(result, this.socket.send(message)) as SendResult;
    return result;
  }

  reply(): void {}

  end(): void {
    this.close();
  }

  joinGroup(group: number): void {
    this.joins++;
    this.#life.tree.subscribe(this.socket, group);
  }

  leaveGroup(group: number): void {
    this.#life.tree.unsubscribe(this.socket, group);
  }

  groupBacklogBytes(): number {
    return this.socket.backlogBytes();
  }

  // ---- what it gets ------------------------------------------------------------------------------------------------

  #hear(message: Uint8Array): void {
    for (const { topic: alias, fromSeq, toSeq, isLost } of this.read(message)) {
      const topic = this.#life.topics[alias - 1] as LabTopic;
      const wanted = this.followed.get(topic);
      if (wanted === undefined) continue;
      if (fromSeq !== wanted) this.#life.fail(`topic ${alias}: ${fromSeq} instead of ${wanted}`);
      this.followed.set(topic, toSeq + 1);
      if (isLost) this.lost += toSeq - fromSeq + 1;
      else this.delivered++;
    }
  }

  read(message: Uint8Array): Heard[] {
    if (this.#isText) {
      const {
        type,
        topic,
        seq,
        from_seq: from,
        to_seq: to,
      } = JSON.parse(utf8.decode(message)) as Record<string, never>;
      const alias = Number(String(topic).slice('topic-'.length));
      return [{ topic: alias, fromSeq: from ?? seq, toSeq: to ?? seq, isLost: type === 'gap' }];
    }
    return decodeServerFrames(message.slice()).map((frame) => {
      if (frame.type === 'event') return { topic: frame.alias, fromSeq: frame.seq, toSeq: frame.seq, isLost: false };
      if (frame.type !== 'gap') throw new Error(`a frame of type ${frame.type}`);
      return { topic: frame.alias, fromSeq: frame.fromSeq, toSeq: frame.toSeq, isLost: true };
    });
  }
}

/** Some subscribers of some topics, for some time. */
class Life {
  readonly lab = new DeliveryLab();
  readonly tree = new TopicTree(BACKPRESSURE_MAX_BYTES);
  readonly topics: LabTopic[];
  readonly subscribers: Subscriber[] = [];
  readonly #random: Random;
  readonly #seed: number;
  /** Of those who have gone. */
  #joins = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
    const random = this.#random;
    const shared = random.chance(0.5) ? { dataBytes: 2 ** 17, frames: 64 } : { dataBytes: 2 ** 22, frames: 4096 };
    this.topics = Array.from({ length: 1 + random.below(4) }, () =>
      this.lab.topic({ shared, isHot: random.chance(0.5), maxDelayMs: random.chance(0.3) ? 5 : 0 }),
    );
    for (let count = 4 + random.below(140); count > 0; count--) this.#connect();
  }

  fail(what: string): never {
    throw new Error(`seed ${this.#seed}: ${what}`);
  }

  /** Returns how often somebody joined a cohort. */
  run(): number {
    for (let count = 0; count < ACTIONS; count++) {
      this.#act();
      this.#check();
    }
    for (const subscriber of this.subscribers) subscriber.readOn();
    this.#settle();
    this.#check();
    for (const subscriber of this.subscribers) {
      const { followed, consumer } = subscriber;
      for (const [topic, next] of followed) {
        const { headSeq } = topic.stream.log;
        if (!this.lab.delivery.isSubscribed(consumer, subscriber.streamOf(topic))) continue;
        if (next !== headSeq + 1) this.fail(`consumer ${consumer.number}: ${next} … ${headSeq} never came`);
      }
    }
    this.#countersAgree();
    const joins = this.subscribers.reduce((sum, { joins }) => sum + joins, this.#joins);
    for (const subscriber of this.subscribers) subscriber.close();
    this.#settle();
    const { consumers, subscriptions } = this.lab.delivery.load;
    if (consumers + subscriptions + this.tree.groupCount > 0) this.fail('something is left of those who have gone');
    if (this.lab.faults.length > 0) this.fail(`faults: ${this.lab.faults}`);
    return joins;
  }

  #act(): void {
    const random = this.#random;
    const one = this.subscribers[random.below(this.subscribers.length)] as Subscriber;
    const topic = this.topics[random.below(this.topics.length)] as LabTopic;
    const dice = random.below(100);
    if (dice < 30) this.#publish(topic);
    else if (dice < 60) this.#turn();
    else if (dice < 70) this.lab.scheduler.pass(random.below(60));
    else if (dice < 78) one.readsUntil = 1 + random.below(12);
    else if (dice < 86) one.readOn();
    else if (dice < 90) one.subscribe(topic, random.chance(0.2) ? 3 : DELAY_OF_STREAM);
    else if (dice < 93) one.unsubscribe(topic);
    else if (dice < 95) this.#leave(one);
    else if (dice < 97) this.#connect();
    else if (dice < 98) this.lab.delivery.servesNoEcho(one.consumer);
    else this.tree.drainAll();
  }

  #publish(topic: LabTopic): void {
    const random = this.#random;
    const isLarge = random.chance(0.02);
    const bytes = isLarge ? LARGE_FRAME_BYTES : 30 + random.below(random.chance(0.2) ? 4000 : 200);
    for (let count = 1 + random.below(random.chance(0.2) ? 60 : 4); count > 0; count--) topic.publishBytes(bytes);
  }

  #connect(): void {
    const random = this.#random;
    const subscriber = new Subscriber(this, random.chance(0.3));
    this.subscribers.push(subscriber);
    for (const topic of this.topics) if (random.chance(0.8)) subscriber.subscribe(topic, DELAY_OF_STREAM);
  }

  #leave(subscriber: Subscriber): void {
    if (this.subscribers.length < 4) return;
    this.#joins += subscriber.joins;
    subscriber.close();
    this.subscribers.splice(this.subscribers.indexOf(subscriber), 1);
  }

  #turn(): boolean {
    this.tree.drainAll();
    return this.lab.scheduler.turn();
  }

  #settle(): void {
    for (let quiet = 0, turns = 0; quiet < 2; turns++) {
      if (turns === TURNS_MAX) this.fail(`it does not come to rest: ${JSON.stringify(this.lab.delivery.load)}`);
      this.lab.scheduler.pass(10);
      quiet = this.#turn() ? 0 : quiet + 1;
    }
    this.tree.drainAll();
  }

  /** What was published is with the subscriber, on its way, or still to be sent; and not much is on its way. */
  #check(): void {
    const { delivery } = this.lab;
    for (const subscriber of this.subscribers) {
      const { socket, followed, consumer } = subscriber;
      if (socket.waitingBytes > WAITING_MAX_BYTES) this.fail(`${socket.waitingBytes} bytes wait for one that stopped`);
      if (!this.#random.chance(0.02)) continue;
      const underWay = socket.underWay.flatMap((message) => subscriber.read(message));
      for (const [topic, next] of followed) {
        const cursor = delivery.cursorOf(consumer, subscriber.streamOf(topic));
        if (cursor === -1) continue;
        const its = underWay.filter(({ topic: alias }) => this.topics[alias - 1] === topic);
        const end = its.at(-1)?.toSeq ?? next - 1;
        const own = consumer.publishesNoEcho;
        if (!own && end + 1 !== cursor) this.fail(`got ${next - 1}, under way to ${end}, and next is ${cursor}`);
      }
    }
  }

  /** Nobody has gone: then what the engine says it has delivered is what was got. */
  #countersAgree(): void {
    if (this.#joins > 0) return;
    const { deliveries, lostMessages } = this.lab.delivery.counters;
    const lost = this.subscribers.reduce((sum, { lost }) => sum + lost, 0);
    if (lostMessages < lost) this.fail(`${lost} were lost, ${lostMessages} are counted`);
    const delivered = this.subscribers.reduce((sum, { delivered }) => sum + delivered, 0);
    if (deliveries < delivered) this.fail(`${delivered} were delivered, ${deliveries} are counted`);
  }
}

describe('cohorts', () => {
  it('lose, double and reorder nothing, and hold little for those who do not read', () => {
    const seed = testSeed('cohorts');
    let joins = 0;
    for (let life = 0; life < LIVES; life++) joins += new Life(seed + life).run();
    console.log(`cohorts: ${LIVES} lives, joined ${joins} times`);
    expect(joins).toBeGreaterThan(10 * LIVES);
  });
});

describe('the lives find out when this does not hold:', () => {
  afterEach(() => faults.restore());

  for (const { rule, apply } of BROKEN_COHORTS) {
    it(rule, () => {
      apply();
      const runAll = () => {
        for (let life = 1; life <= LIVES; life++) new Life(life).run();
      };
      expect(runAll).toThrow();
    });
  }
});
