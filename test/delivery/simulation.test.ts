// A day in the life of delivery, in random order: publish, subscribe, unsubscribe, block, drain, close, time. Each
// subscriber must have got exactly the accepted sequence, or have been told what it missed; at the end nothing is left.

import { describe, expect, it } from 'vitest';
import { SEND_BLOCKED, SEND_OK } from '#src/delivery/sink.js';
import { POLICY_DISCONNECT, policyNumber } from '#src/delivery/slow-consumer.js';
import { Random, testSeed } from '../ring/random.js';
import { DeliveryLab, type LabConsumer, type LabTopic } from './delivery-lab.js';

const STEPS = 6_000;
const RUNS = 4;
const POLICIES = [policyNumber('drop_oldest'), policyNumber('drop_oldest'), POLICY_DISCONNECT];

/** What one subscription has to get: everything from `next` on that is not its own. */
interface Expectation {
  next: number;
  readonly topic: LabTopic;
}

class SimulatedClient {
  readonly lab: LabConsumer;
  readonly isText: boolean;
  readonly expectations = new Map<LabTopic, Expectation>();
  isBlocked = false;
  events = 0;
  lost = 0;
  bytes = 0;

  constructor(lab: LabConsumer, isText: boolean) {
    this.lab = lab;
    this.isText = isText;
  }

  /** Reads what arrived, and compares it with what had to. */
  read(topics: Map<number, LabTopic>, byName: Map<string, LabTopic>): void {
    const { sink } = this.lab;
    if (this.isText) {
      for (const message of sink.takeJson()) {
        const topic = byName.get(message.topic as string)!;
        if (message.type === 'gap') this.#gap(topic, message.from_seq as number, message.to_seq as number);
        else this.#event(topic, message.seq as number);
      }
      return;
    }
    for (const frame of sink.take()) {
      if (frame.type === 'gap') this.#gap(topics.get(frame.alias)!, frame.fromSeq, frame.toSeq);
      else if (frame.type === 'event') this.#event(topics.get(frame.alias)!, frame.seq);
      else throw new Error(`unexpected ${frame.type}`);
    }
  }

  /** The subscription has caught up: everything accepted has come or been announced. */
  expectCaughtUp(): void {
    for (const { topic, next } of this.expectations.values()) {
      const wanted = this.#skipOwn(topic, next);
      if (wanted <= topic.topic.log.headSeq)
        throw new Error(`message ${wanted} of ${topic.topic.spec.topic} is missing`);
    }
  }

  #event(topic: LabTopic, seq: number): void {
    const expectation = this.#expectation(topic);
    const wanted = this.#skipOwn(topic, expectation.next);
    if (seq !== wanted) throw new Error(`event ${seq} of ${topic.topic.spec.topic}, not ${wanted}`);
    expectation.next = seq + 1;
    this.events++;
  }

  #gap(topic: LabTopic, fromSeq: number, toSeq: number): void {
    const expectation = this.#expectation(topic);
    // The range may begin with own messages that were not told of.
    if (fromSeq < expectation.next || fromSeq > this.#skipOwn(topic, expectation.next) || toSeq < fromSeq) {
      throw new Error(`gap ${fromSeq}–${toSeq} of ${topic.topic.spec.topic}, at ${expectation.next}`);
    }
    expectation.next = toSeq + 1;
    this.lost += toSeq - fromSeq + 1;
  }

  #expectation(topic: LabTopic): Expectation {
    const expectation = this.expectations.get(topic);
    if (expectation === undefined) throw new Error(`${topic.topic.spec.topic} was not subscribed to`);
    return expectation;
  }

  #skipOwn(topic: LabTopic, seq: number): number {
    const origins = origin.get(topic)!;
    let next = seq;
    while (origins[next] === this.lab.consumer.number) next++;
    return next;
  }
}

/** By topic and seq: the connection that published it with noEcho. */
const origin = new Map<LabTopic, number[]>();

class Simulation {
  readonly lab = new DeliveryLab(0.05);
  readonly topics: LabTopic[];
  readonly #byAlias = new Map<number, LabTopic>();
  readonly #byName = new Map<string, LabTopic>();
  readonly clients = new Set<SimulatedClient>();
  readonly #random: Random;
  closed = { events: 0, lost: 0 };

  constructor(random: Random) {
    this.#random = random;
    const { lab } = this;
    this.topics = [
      lab.topic(),
      lab.topic({ maxDelayMs: 20 }),
      lab.topic({ maxLagMessages: 30 }),
      lab.topic({ maxLagMs: 500, maxDelayMs: 3 }),
      lab.topic({ isHot: true, shared: { dataBytes: 16384, frames: 64 } }),
      lab.topic({ isHot: true, shared: { dataBytes: 4096, frames: 256 }, maxDelayMs: 5 }),
      lab.topic({ isHot: true, firstSeq: 2 ** 32 - 50 }),
      lab.topic({ shared: { dataBytes: 65536, frames: 16 } }),
    ];
    for (const topic of this.topics) {
      this.#byAlias.set(topic.topic.spec.alias, topic);
      this.#byName.set(topic.topic.spec.topic, topic);
      origin.set(topic, []);
    }
  }

  step(): void {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 45) this.#publish();
    else if (dice < 60) this.#subscribe();
    else if (dice < 65) this.#unsubscribe();
    else if (dice < 70) this.#block();
    else if (dice < 78) this.#drain();
    else if (dice < 81) this.#close();
    else if (dice < 95) this.lab.scheduler.turn();
    else this.lab.scheduler.advance(random.below(80));
    // A transport reads at its own pace; what was sent before an unsubscribe counts.
    for (const client of this.clients) if (random.chance(0.1)) this.read(client);
  }

  read(client: SimulatedClient): void {
    client.read(this.#byAlias, this.#byName);
  }

  #publish(): void {
    const random = this.#random;
    const topic = this.#pick(this.topics);
    const client = this.#pick([...this.clients]);
    const count = random.chance(0.1) ? random.below(100) : 1 + random.below(4);
    for (let i = 0; i < count; i++) {
      let from = 0;
      if (client !== undefined && random.chance(0.2)) {
        this.lab.delivery.servesNoEcho(client.lab.consumer);
        from = client.lab.consumer.number;
      }
      const value = random.chance(0.02) ? 'x'.repeat(random.below(3000)) : random.u32();
      const seq = topic!.append(value, from);
      if (from !== 0) origin.get(topic!)![seq] = from;
      // A hot topic's report may be late by some messages.
      if (!topic!.stream.isHot || random.chance(0.3)) topic!.report();
    }
    if (random.chance(0.7)) topic!.report();
  }

  #subscribe(): void {
    const random = this.#random;
    if (this.clients.size < 12 || random.chance(0.2)) {
      const isText = random.chance(0.3);
      const added = new SimulatedClient(this.lab.consumer(isText), isText);
      added.lab.sink.onSend = (sink) => {
        this.lab.scheduler.now += 0.004;
        if (random.chance(0.05)) {
          sink.result = SEND_BLOCKED;
          added.isBlocked = true;
        }
      };
      added.lab.sink.onEnd = () => this.#ended(added);
      this.clients.add(added);
    }
    const client = this.#pick([...this.clients])!;
    const topic = this.#pick(this.topics)!;
    if (client.expectations.has(topic)) return;
    const stream = client.isText ? topic.jsonStream : topic.stream;
    stream.log.refresh();
    const back = random.below(Math.min(stream.log.retainedFrames, 20) + 1);
    const cursor = stream.log.headSeq + 1 - back;
    const delayMs = random.chance(0.2) ? random.below(50) : -1;
    client.lab.subscribe(topic, { cursor, policy: this.#pick(POLICIES)!, delayMs });
    client.expectations.set(topic, { next: cursor, topic });
  }

  #unsubscribe(): void {
    const client = this.#pick([...this.clients]);
    const expectation = client === undefined ? undefined : this.#pick([...client.expectations.values()]);
    if (client === undefined || expectation === undefined) return;
    this.read(client);
    expect(client.lab.unsubscribe(expectation.topic)).toBe(true);
    client.expectations.delete(expectation.topic);
  }

  #block(): void {
    const client = this.#pick([...this.clients]);
    if (client === undefined) return;
    client.isBlocked = true;
    client.lab.sink.result = SEND_BLOCKED;
    if (this.#random.chance(0.5)) this.lab.delivery.blocked(client.lab.consumer);
  }

  #drain(): void {
    const client = this.#pick([...this.clients].filter(({ isBlocked }) => isBlocked));
    if (client === undefined) return;
    this.drain(client);
  }

  drain(client: SimulatedClient): void {
    client.isBlocked = false;
    client.lab.sink.result = SEND_OK;
    this.lab.delivery.drained(client.lab.consumer);
  }

  #close(): void {
    const client = this.#pick([...this.clients]);
    if (client === undefined) return;
    client.lab.close();
    this.#ended(client);
  }

  #ended(client: SimulatedClient): void {
    this.read(client);
    this.clients.delete(client);
    this.closed.events += client.events;
    this.closed.lost += client.lost;
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#random.below(Math.max(1, from.length))];
  }
}

describe('a simulation', () => {
  const seed = testSeed('delivery simulation');
  for (let run = 0; run < RUNS; run++) {
    it(`delivers exactly the accepted sequence or an announced gap to every subscriber (run ${run + 1})`, () => {
      const random = new Random(seed + run);
      const simulation = new Simulation(random);
      const { lab, clients, topics, closed } = simulation;
      for (let step = 0; step < STEPS; step++) simulation.step();
      for (const topic of topics) topic.report();
      // Everybody reads now: until nobody is blocked and nothing waits.
      for (const client of clients) client.lab.sink.onSend = () => {};
      for (let round = 0; round < 3; round++) {
        for (const client of [...clients]) simulation.drain(client);
        lab.scheduler.advance(2000);
      }
      let events = closed.events;
      let lost = closed.lost;
      for (const client of clients) {
        simulation.read(client);
        client.expectCaughtUp();
        events += client.events;
        lost += client.lost;
      }
      const { counters } = lab.delivery;
      console.log({ events, lost, gaps: counters.gaps, slowDisconnects: counters.slowDisconnects });
      expect(counters.deliveries).toBe(events);
      expect(counters.lostMessages).toBe(lost);
      expect(
        topics.reduce(
          (sum, { stream, jsonStream }) => sum + stream.counters.lostMessages + jsonStream.counters.lostMessages,
          0,
        ),
      ).toBe(lost);
      expect([events > 1000, lost > 100, counters.slowDisconnects > 0]).toEqual([true, true, true]);
      expect(lab.delivery.load).toMatchObject({ ready: 0, waiting: 0, blocked: 0, consumers: clients.size });
      for (const client of [...clients]) client.lab.close();
      expect(lab.delivery.load).toMatchObject({ consumers: 0, subscriptions: 0, ready: 0, waiting: 0, blocked: 0 });
      for (const { stream, jsonStream } of topics) {
        expect([stream.subscriberCount, stream.idleHead, jsonStream.subscriberCount, jsonStream.idleHead]).toEqual([
          0, -1, 0, -1,
        ]);
      }
      lab.scheduler.advance(2000);
      expect([lab.scheduler.timerCount, lab.scheduler.soonCount]).toEqual([0, 0]);
    });
  }
});
