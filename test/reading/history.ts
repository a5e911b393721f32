// Seeded histories of a topic: publishing, subscribing with any mix of wishes, changing them, stalls, returns with a position,
// moves, deaths of lanes, time. What everybody gets is what the model says.

import { expect } from 'vitest';
import type { PublishOptions, ServerMessage } from '#src/protocol/messages.js';
import { Random } from '../ring/random.js';
import { RouterLab } from '../router/router-lab.js';
import type { FakeScheduler } from '../support/fake-scheduler.js';
import { type Filter, ModelTopic, type Published, type Rule, type Wishes } from './model.js';
import { type Beginning, Reader } from './reader.js';

const STEPS = 30;
const READERS_MAX = 6;
const KEYS = ['a', 'b', 'c', 'd', 'e', '__proto__'];
const RATES = [1, 5, 20];
const FILTERS: readonly Filter[] = [
  { text: 'n > 4', lets: ({ n }) => typeof n === 'number' && n > 4 },
  { text: "tag == 'x' || n == 3", lets: ({ tag, n }) => tag === 'x' || n === 3 },
];
const FIELDS = [['n'], ['tag', 'n'], ['none']];

export class History {
  readonly random: Random;
  readonly rule: Rule;
  readonly lab: RouterLab;
  readonly topic: ModelTopic;
  readonly readers: Reader[] = [];
  readonly laneClock: DyingClock;
  #readers = 0;
  #events = 0;
  #trace: string[] = [];

  constructor(seed: number) {
    const random = new Random(seed);
    this.random = random;
    const isKeyed = random.below(4) > 0;
    this.rule = {
      isKeyed,
      merges: random.below(3) === 0,
      maxKeys: random.below(3) === 0 ? 3 : 100,
      dedupMessages: random.below(3) === 0 ? 4 : 0,
    };
    const { merges, maxKeys, dedupMessages } = this.rule;
    const dedup = dedupMessages === 0 ? {} : { dedupWindow: { messages: dedupMessages, ms: 1e9 } };
    const home = random.below(2) === 0 ? 'cold' : 'hot';
    const rule = { match: '*', home, keyed: isKeyed, merge: merges, maxKeys, ...dedup } as const;
    this.laneClock = new DyingClock(random);
    this.lab = new RouterLab({
      laneRingBytes: 2 ** 16,
      lanes: 2,
      laneClock: this.laneClock,
      registry: { rules: [rule] },
    });
    this.laneClock.scheduler = this.lab.scheduler;
    this.topic = new ModelTopic(this.rule);
    this.lab.topics.declare('t');
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) this.#step();
    this.laneClock.isDeadly = false;
    for (const reader of this.readers) if (reader.isStalled) reader.goOn();
    // Lanes come back, and every rate has its turn.
    for (let rounds = 0; rounds < 12; rounds++) this.#pass(100);
    for (const reader of this.readers) {
      reader.hear();
      reader.expectUpToDate();
    }
    for (const reader of this.readers.splice(0)) this.#leave(reader);
    this.#pass(500);
    while (!this.lab.topics.sweep());
    while (!this.lab.topics.sweep());
    while (!this.lab.topics.sweep());
    expect(this.lab.delivery.load).toMatchObject({ subscriptions: 0, streams: 0, waiting: 0, blocked: 0 });
    expect(this.lab.faults).toEqual([]);
  }

  get events(): number {
    return this.#events;
  }

  get trace(): string {
    return this.#trace.slice(-30).join('\n');
  }

  #note(text: string): void {
    this.#trace.push(text);
  }

  #step(): void {
    const { random } = this;
    const choice = random.below(100);
    if (choice < 50) for (let n = random.below(4); n >= 0; n--) this.#publish();
    else if (choice < 62) this.#subscribe();
    else if (choice < 68) this.#update();
    else if (choice < 76) this.#stall();
    else if (choice < 82) this.#comeBack();
    else if (choice < 86) this.#move();
    else if (choice < 89) this.laneClock.plan();
    else this.#pass(random.below(400));
    this.lab.settle();
    for (const reader of this.readers) reader.hear();
  }

  #pass(ms: number): void {
    this.lab.advance(ms);
    for (const reader of this.readers) reader.hear();
  }

  #publish(): void {
    const { random, rule } = this;
    const key = rule.isKeyed && random.below(20) > 0 ? pick(random, KEYS) : null;
    const isDelete = key !== null && random.below(8) === 0;
    const message: Published = {
      key,
      payload: {
        ...(random.below(3) > 0 ? { n: random.below(8) } : {}),
        ...(random.below(2) > 0 ? { tag: pick(random, ['x', 'y']) } : {}),
        l: 'x'.repeat(30),
      },
      isDelete,
      id: random.below(4) === 0 ? `m${random.below(12)}` : null,
      version: random.below(5) === 0 ? random.below(6) : null,
      ifSeq: random.below(12) === 0 ? random.below(this.topic.head + 2) : null,
    };
    const options: PublishOptions = {
      ...(message.key === null ? {} : { key: message.key }),
      ...(isDelete ? { delete: true } : {}),
      ...(message.id === null ? {} : { id: message.id }),
      ...(message.version === null ? {} : { version: message.version }),
      ...(message.ifSeq === null ? {} : { ifSeq: message.ifSeq }),
    };
    const client = this.lab.client();
    client.send({ type: 'publish', id: 1, topic: 't', payload: message.payload, options });
    const expected = this.topic.publish(message);
    this.#note(`publish ${JSON.stringify(message)}: ${expected}`);
    // A lane that has died answers when the next one is there.
    let answers = client.take();
    for (let waits = 0; answers.length === 0 && waits < 20; waits++) {
      this.#pass(50);
      answers = client.take();
    }
    client.close();
    expect(short(answers[0])).toBe(expected);
  }

  #subscribe(beginning?: Beginning): void {
    if (this.readers.length >= READERS_MAX) return;
    const { random } = this;
    const codec = random.below(2) === 0 ? 'msgpack' : 'json';
    const wishes = this.#wishes();
    const reader = new Reader(`reader ${++this.#readers} (${codec})`, this.lab, this.topic, codec, wishes);
    const begin = beginning ?? this.#beginning();
    this.#note(`${reader.name} subscribes: ${JSON.stringify(wishes)} ${JSON.stringify(begin)}`);
    this.readers.push(reader);
    reader.subscribe(begin);
  }

  #wishes(): Wishes {
    const { random } = this;
    const filter = random.below(3) === 0 ? pick(random, FILTERS) : null;
    const maxRate = random.below(4) === 0 ? pick(random, RATES) : null;
    const mode = maxRate !== null || random.below(2) === 0 ? 'latest' : 'every';
    return {
      mode,
      maxRate,
      filter,
      // Leaves are of keys.
      track: filter !== null && this.rule.isKeyed && random.below(2) === 0,
      fields: random.below(4) === 0 ? pick(random, FIELDS) : null,
      delta: mode === 'every' && random.below(4) === 0,
    };
  }

  #beginning(): Beginning {
    const { random } = this;
    if (random.below(3) === 0) return { snapshot: true };
    return random.below(3) === 0 ? { lastN: random.below(20) } : {};
  }

  #update(): void {
    const { random } = this;
    if (this.readers.length === 0) return;
    const reader = pick(random, this.readers);
    if (reader.isDelta) return;
    const maxRate = random.below(3) === 0 ? pick(random, RATES) : null;
    const mode = maxRate !== null || random.below(2) === 0 ? 'latest' : 'every';
    this.#note(`${reader.name} is read ${mode}, ${maxRate}`);
    reader.update(mode, maxRate);
  }

  #stall(): void {
    if (this.readers.length === 0) return;
    const reader = pick(this.random, this.readers);
    this.#note(`${reader.name} ${reader.isStalled ? 'goes on' : 'stalls'}`);
    if (reader.isStalled) reader.goOn();
    else reader.stall();
  }

  /** Somebody leaves, and comes back with what it has had. */
  #comeBack(): void {
    if (this.readers.length === 0) return;
    const [reader] = this.readers.splice(this.random.below(this.readers.length), 1) as [Reader];
    this.#leave(reader);
    const entry = this.lab.topics.find('t');
    if (entry === undefined || reader.covered < 0) return;
    this.#note(`${reader.name} comes back with ${reader.covered}`);
    this.#subscribe({ since: { epoch: entry.spec.epoch, seq: reader.covered } });
  }

  #leave(reader: Reader): void {
    this.#events += reader.events;
    reader.client.close();
  }

  #move(): void {
    const entry = this.lab.topics.find('t');
    if (entry === undefined) return;
    const target = this.random.below(3) - 1;
    this.#note(`moves to ${target}`);
    this.lab.handOver.move(entry, target);
  }
}

/** The clock of the lanes' threads, which end when it says so: within a batch, too. */
export class DyingClock {
  scheduler: FakeScheduler | null = null;
  isDeadly = true;
  readonly #random: Random;
  #untilDeath = 0;
  deaths = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  plan(): void {
    this.#untilDeath = 1 + this.#random.below(4);
  }

  nowMs(): number {
    if (this.isDeadly && this.#untilDeath > 0 && --this.#untilDeath === 0) {
      this.deaths++;
      throw new Error('planned death');
    }
    return this.scheduler?.now ?? 0;
  }
}

function short(answer: ServerMessage | undefined): string {
  if (answer?.type === 'error')
    return answer.code === 'CONFLICT' ? `CONFLICT ${(answer.details as { seq: number }).seq}` : answer.code;
  if (answer?.type !== 'ok') return String(answer?.type);
  const { seq, duplicate, stale } = answer.result;
  return `${seq}${duplicate === true ? ' duplicate' : ''}${stale === true ? ' stale' : ''}`;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

/** What histories have seen. */
export interface Seen {
  histories: number;
  messages: number;
  events: number;
  deaths: number;
}

/** Runs histories until one is not what the model says. Throws with what replays it. */
export function runHistories(seeds: Iterable<number>): Seen {
  const seen: Seen = { histories: 0, messages: 0, events: 0, deaths: 0 };
  for (const seed of seeds) {
    const history = new History(seed);
    try {
      history.run();
    } catch (fault) {
      const what = `RINGCAST_HISTORY=${seed} replays it: ${(fault as Error).message}\n${history.trace}`;
      throw new Error(what, { cause: fault });
    }
    seen.histories++;
    seen.messages += history.topic.head;
    seen.events += history.events;
    seen.deaths += history.laneClock.deaths;
  }
  return seen;
}
