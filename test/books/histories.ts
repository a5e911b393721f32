// Seeded histories of a book: a feed that loses, repeats and breaks messages, subscribers with any mix of wishes, stalls, returns
// with a position, moves, deaths of lanes, time. Whatever a subscriber has of a book at any time is what its exchange had at that
// update; in the end it has what there is to have.

import { expect } from 'vitest';
import { BookMirror } from '#src/book/book-mirror.js';
import { SEND_BLOCKED, SEND_OK } from '#src/delivery/sink.js';
import type { ServerMessage, SubscribeOptions } from '#src/protocol/messages.js';
import { decode } from '#src/protocol/msgpack.js';
import { DyingClock } from '../reading/history.js';
import { Random } from '../ring/random.js';
import { type RouterClient, RouterLab } from '../router/router-lab.js';
import { expectLevels } from './same-levels.js';

const STEPS = 40;
const READERS_MAX = 6;
const PRICES = 14;
const MAX_LEVELS = 50;

type Levels = { readonly bids: Map<number, string>; readonly asks: Map<number, string> };
type Pairs = [price: string, quantity: string][];

/** Prices are tenths: 10.3 is 103. */
const priceText = (tenths: number): string => (tenths / 10).toFixed(2);

interface Difference {
  readonly previous: number;
  readonly first: number;
  readonly last: number;
  readonly b: Pairs;
  readonly a: Pairs;
}

/** The exchange: what its book was at each update. */
class Exchange {
  readonly #random: Random;
  #levels: Levels = { bids: new Map(), asks: new Map() };
  #lastSent: number;
  readonly states = new Map<number, Levels>();
  last = 100;

  constructor(random: Random) {
    this.#random = random;
    this.#lastSent = this.last;
    this.states.set(this.last, this.#levels);
    for (let n = 0; n < 8; n++) this.next();
  }

  /** Some updates, as one difference. */
  next(): Difference {
    const random = this.#random;
    const [previous, first] = [this.#lastSent, this.last + 1];
    this.last += 1 + random.below(3);
    this.#lastSent = this.last;
    const { bids, asks } = this.#levels;
    this.#levels = { bids: new Map(bids), asks: new Map(asks) };
    const b = this.#change(this.#levels.bids, 100 - PRICES);
    const a = this.#change(this.#levels.asks, 101);
    // Between its first and its last update the book is none of these: no subscriber may have it.
    this.states.set(this.last, this.#levels);
    return { previous, first, last: this.last, b, a };
  }

  #change(side: Map<number, string>, from: number): Pairs {
    const random = this.#random;
    const changes: Pairs = [];
    for (let n = random.below(4); n > 0; n--) {
      const price = from + random.below(PRICES);
      const quantity = random.below(3) === 0 ? '0.000' : `${random.below(5)}.${1 + random.below(9)}0`;
      if (Number(quantity) === 0) side.delete(price);
      else side.set(price, quantity);
      const known = changes.findIndex(([text]) => text === priceText(price));
      if (known >= 0) changes.splice(known, 1);
      changes.push([priceText(price), quantity]);
    }
    return changes;
  }
}

interface View {
  readonly depth?: number;
  readonly tick?: number;
}

/** What a subscriber has to see of a book. Plain, slow, obvious: with whole numbers. */
function viewOf(
  { bids, asks }: Levels,
  { depth = Number.POSITIVE_INFINITY, tick }: View,
): { bids: Pairs; asks: Pairs } {
  const side = (levels: Map<number, string>, isUp: boolean): Pairs => {
    const steps = new Map<number, number>();
    const step = tick === undefined ? 1 : tick * 10;
    for (const [price, quantity] of levels) {
      const at = (isUp ? Math.ceil(price / step) : Math.floor(price / step)) * step;
      steps.set(at, (steps.get(at) ?? 0) + Math.round(Number(quantity) * 100));
    }
    return [...steps]
      .sort(([a], [b]) => (isUp ? a - b : b - a))
      .slice(0, depth)
      .map(([at, hundredths]) => [
        tick === undefined ? priceText(at) : (at / 10).toFixed(String(tick).split('.')[1]?.length ?? 0),
        (hundredths / 100).toFixed(2),
      ]);
  };
  return { bids: side(bids, false), asks: side(asks, true) };
}

interface BookOptions extends View {
  readonly mode?: 'every' | 'latest';
  readonly maxRate?: number;
  readonly checksum?: boolean;
}

const VIEWS: readonly BookOptions[] = [
  {},
  { depth: 3 },
  { depth: 2, tick: 0.5, checksum: true },
  { tick: 0.2 },
  { tick: 1, checksum: true },
  { checksum: true },
];
const READINGS: readonly BookOptions[] = [{ mode: 'every' }, { mode: 'latest' }, { maxRate: 5 }, { maxRate: 1 }];

class Reader {
  readonly mirror: BookMirror;
  readonly client: RouterClient;
  readonly #exchange: Exchange;
  readonly #isJson: boolean;
  options: BookOptions;
  isStalled = false;
  isStale = false;
  covered = -1;
  events = 0;

  constructor(lab: RouterLab, exchange: Exchange, isJson: boolean, feed: BookMirror, options: BookOptions) {
    this.#exchange = exchange;
    this.#isJson = isJson;
    this.mirror = feed;
    this.options = options;
    this.client = isJson ? lab.jsonClient() : lab.client();
  }

  subscribe(beginning: Pick<SubscribeOptions, 'since'>): void {
    const { maxRate, ...rest } = { ...this.options, ...beginning };
    if (!this.#isJson) this.client.send({ type: 'subscribe', topic: 't', options: { ...this.options, ...beginning } });
    else
      this.client.sendJson({
        type: 'subscribe',
        topic: 't',
        ...rest,
        ...(maxRate === undefined ? {} : { max_rate: maxRate }),
      });
  }

  update(options: Pick<BookOptions, 'mode' | 'maxRate'>): void {
    const { mode: _, maxRate: __, ...view } = this.options;
    this.options = { ...view, ...options };
    if (!this.#isJson) this.client.send({ type: 'update', topic: 't', options });
    else
      this.client.sendJson({
        ...{ type: 'update', topic: 't' },
        ...(options.mode === undefined ? {} : { mode: options.mode }),
        ...(options.maxRate === undefined ? {} : { max_rate: options.maxRate }),
      });
  }

  hear(): void {
    if (this.#isJson) for (const message of this.client.takeJson()) this.#takeJson(message);
    else for (const frame of this.client.take()) this.#take(frame);
  }

  #take(frame: ServerMessage): void {
    if (frame.type === 'event') this.#apply(frame.seq, decode(frame.payloadBytes));
    else if (frame.type === 'snapshot') this.#begin(frame.seq, frame.entries[0]?.[3]);
    else if (frame.type === 'gap') this.#gap(frame.fromSeq, frame.toSeq, frame.reason);
    else if (frame.type === 'notice') this.#stale(frame.kind);
    else if (frame.type !== 'ok') throw new Error(JSON.stringify(frame));
  }

  #takeJson(message: Record<string, unknown>): void {
    const { type, seq, from_seq: from, to_seq: to } = message;
    if (type === 'event') this.#apply(seq as number, (message.message as { payload: unknown }).payload);
    else if (type === 'snapshot') this.#begin(seq as number, (message.entries as { payload: unknown }[])[0]?.payload);
    else if (type === 'gap') this.#gap(from as number, to as number, message.reason);
    else if (type === 'info') this.#stale(message.msg);
    else if (type !== 'ack') throw new Error(JSON.stringify(message));
  }

  #apply(seq: number, payload: unknown): void {
    if (seq <= this.covered) expect(seq).toBeGreaterThan(this.covered);
    this.covered = seq;
    this.events++;
    this.mirror.apply(payload);
    this.#check();
  }

  #begin(seq: number, payload: unknown): void {
    // What it says replaces all; one that is as old as that is shared with others.
    this.covered = Math.max(seq, this.covered);
    this.mirror.begin(payload);
    this.#check();
  }

  #gap(from: number, to: number, reason: unknown): void {
    expect(reason).toBe('merged');
    expect(from).toBeGreaterThan(this.covered);
    expect(to).toBeGreaterThanOrEqual(from);
    this.covered = to;
  }

  #stale(kind: unknown): void {
    expect(kind).toBe('stale');
    this.mirror.invalidate();
  }

  /** It has what the exchange had. */
  #check(): void {
    if (this.mirror.isValid) this.expectBook(this.mirror.last as number);
  }

  expectBook(last: number): void {
    const state = this.#exchange.states.get(last);
    if (state === undefined) throw new Error(`there was no book at update ${last}`);
    expectLevels({ bids: this.mirror.bids(), asks: this.mirror.asks() }, viewOf(state, this.options));
  }

  stall(lab: RouterLab): void {
    this.isStalled = true;
    this.client.sink.result = SEND_BLOCKED;
    lab.delivery.blocked(this.client.session.consumer);
  }

  goOn(lab: RouterLab): void {
    this.isStalled = false;
    this.client.sink.result = SEND_OK;
    lab.delivery.drained(this.client.session.consumer);
  }
}

/** What the topic has to have: the update its book is at; null: none. Differences that it has put aside. */
class ModelBook {
  last: number | null = null;
  #aside: Difference[] = [];

  difference(difference: Difference): void {
    if (this.last === null) this.#aside.push(difference);
    else if (difference.last > this.last && difference.previous > this.last) {
      this.last = null;
      this.#aside = [difference];
    } else this.last = Math.max(this.last, difference.last);
  }

  snapshot(last: number): void {
    if (this.last !== null && last < this.last) return;
    const waiting = this.#aside.filter((each) => each.last > last);
    if (this.last === null && waiting.length > 0 && waiting[0].previous > last) return;
    this.#aside = [];
    this.last = last;
    for (const each of waiting) this.difference(each);
  }

  broken(): void {
    this.last = null;
  }

  end(): void {
    this.last = null;
    this.#aside = [];
  }
}

class BookHistory {
  readonly random: Random;
  readonly lab: RouterLab;
  readonly laneClock: DyingClock;
  readonly exchange: Exchange;
  readonly model = new ModelBook();
  readonly readers: Reader[] = [];
  readonly #preset: 'binance' | 'binance-futures';
  /** Texts, and payloads. */
  readonly trace: unknown[] = [];
  readonly #feed: RouterClient;
  published = 0;
  events = 0;

  constructor(seed: number) {
    const random = new Random(seed);
    this.random = random;
    this.laneClock = new DyingClock(random);
    this.#preset = random.below(2) === 0 ? 'binance' : 'binance-futures';
    const home = random.below(2) === 0 ? 'cold' : 'hot';
    const rule = { match: '*', home, type: 'book', book: this.#preset, maxLevels: MAX_LEVELS } as const;
    const lanes = { laneRingBytes: 2 ** 16, lanes: 2, laneClock: this.laneClock };
    this.lab = new RouterLab({ ...lanes, registry: { rules: [rule] } });
    this.laneClock.scheduler = this.lab.scheduler;
    this.exchange = new Exchange(random);
    this.lab.topics.declare('t');
    this.#feed = this.lab.client();
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) this.#step();
    this.laneClock.isDeadly = false;
    for (const reader of this.readers) if (reader.isStalled) reader.goOn(this.lab);
    for (let rounds = 0; rounds < 12; rounds++) this.#pass(100);
    for (const { mirror, options } of this.readers) {
      expect(mirror.isValid, JSON.stringify(options)).toBe(this.model.last !== null);
      // A view that has not changed does not say of which update it is.
      if (options.depth === undefined && options.tick === undefined && mirror.isValid)
        expect(mirror.last).toBeLessThanOrEqual(this.model.last as number);
    }
    for (const reader of this.readers) if (this.model.last !== null) reader.expectBook(this.model.last);
    for (const reader of this.readers.splice(0)) this.#leave(reader);
    expect(this.lab.faults).toEqual([]);
  }

  /** What it has come to. */
  get traced(): string {
    const last = this.trace.slice(-30);
    return last.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))).join('\n');
  }

  #step(): void {
    const { random } = this;
    const choice = random.below(100);
    if (choice < 56) for (let n = random.below(random.below(10) === 0 ? 60 : 4); n >= 0; n--) this.#publishSome();
    else if (choice < 66) this.#subscribe();
    else if (choice < 70) this.#update();
    else if (choice < 78) this.#stall();
    else if (choice < 83) this.#comeBack();
    else if (choice < 87) this.#move();
    else if (choice < 90) this.laneClock.plan();
    else this.#pass(random.below(400));
    this.lab.settle();
    for (const reader of this.readers) reader.hear();
  }

  #pass(ms: number): void {
    this.lab.advance(ms);
    for (const reader of this.readers) reader.hear();
  }

  #publishSome(): void {
    const { random, exchange, model } = this;
    const choice = random.below(100);
    if (choice < 4) {
      exchange.next();
      this.trace.push(`lost up to ${exchange.last}`);
    } else if (choice < (model.last === null ? 40 : 8)) this.#publishSnapshot();
    else if (choice < 41 && choice > 38) this.#publish({ heartbeat: choice });
    else if (choice === 43) {
      this.#publish({ b: [['x', 1]], U: 1, u: 2 });
      model.broken();
    } else if (choice === 44) {
      this.#publish(null, true);
      model.end();
    } else this.#publishDifference();
  }

  #publishDifference(): void {
    const { random } = this;
    const difference = this.exchange.next();
    for (let times = random.below(10) === 0 ? 2 : 1; times > 0; times--) {
      this.#publish({
        U: difference.first,
        u: difference.last,
        pu: difference.previous,
        b: difference.b,
        a: difference.a,
      });
      this.model.difference(difference);
    }
  }

  /** Often of a while ago. */
  #publishSnapshot(): void {
    const ids = [...this.exchange.states.keys()];
    const last = ids[Math.max(0, ids.length - 1 - this.random.below(4))] as number;
    const { bids, asks } = viewOf(this.exchange.states.get(last) as Levels, {});
    this.#publish({ lastUpdateId: last, bids, asks });
    this.model.snapshot(last);
  }

  #publish(payload: unknown, isDelete = false): void {
    this.published++;
    const client = this.#feed;
    const options = isDelete ? { options: { delete: true } } : {};
    client.send({ type: 'publish', id: 1, topic: 't', payload, ...options });
    let answers = client.take();
    // A lane that has died answers when the next one is there.
    for (let waits = 0; answers.length === 0 && waits < 20; waits++) {
      this.#pass(50);
      answers = client.take();
    }
    this.trace.push(payload);
    if (answers[0]?.type !== 'ok') expect(answers[0]?.type).toBe('ok');
  }

  #subscribe(since?: SubscribeOptions['since']): void {
    if (this.readers.length >= READERS_MAX) return;
    const { random } = this;
    const options = this.#options();
    const isJson = random.below(2) === 0;
    const reader = new Reader(this.lab, this.exchange, isJson, new BookMirror(this.#preset), options);
    this.trace.push(`subscribes ${JSON.stringify({ ...options, since, isJson })}`);
    this.readers.push(reader);
    reader.subscribe(since === undefined ? {} : { since });
  }

  /** Of few, so that readers share streams. */
  #options(): BookOptions {
    return { ...(VIEWS[this.random.below(VIEWS.length)] as BookOptions), ...this.#reading() };
  }

  #reading(): Pick<BookOptions, 'mode' | 'maxRate'> {
    return READINGS[this.random.below(READINGS.length)] as BookOptions;
  }

  #update(): void {
    const reader = this.readers[this.random.below(Math.max(1, this.readers.length))];
    if (reader === undefined) return;
    const reading = this.#reading();
    this.trace.push(`${JSON.stringify(reader.options)} is read ${JSON.stringify(reading)}`);
    reader.update(reading);
  }

  #stall(): void {
    const reader = this.readers[this.random.below(Math.max(1, this.readers.length))];
    if (reader === undefined) return;
    this.trace.push(`${JSON.stringify(reader.options)} ${reader.isStalled ? 'goes on' : 'stalls'}`);
    if (reader.isStalled) reader.goOn(this.lab);
    else reader.stall(this.lab);
  }

  /** Somebody who reads all leaves, and comes back with what it has. */
  #comeBack(): void {
    const index = this.readers.findIndex(({ options }) => options.depth === undefined && options.tick === undefined);
    const [reader] = index < 0 ? [] : this.readers.splice(index, 1);
    const entry = this.lab.topics.find('t');
    if (reader === undefined || entry === undefined) return;
    this.#leave(reader);
    if (reader.covered < 0) return;
    const since = { epoch: entry.spec.epoch, seq: reader.covered };
    const isJson = this.random.below(2) === 0;
    const again = new Reader(this.lab, this.exchange, isJson, reader.mirror, { mode: 'every' });
    this.trace.push(`comes back with ${reader.covered}`);
    again.covered = reader.covered;
    this.readers.push(again);
    again.subscribe({ since });
  }

  #leave(reader: Reader): void {
    this.events += reader.events;
    reader.client.close();
  }

  #move(): void {
    const entry = this.lab.topics.find('t');
    if (entry === undefined) return;
    const target = this.random.below(3) - 1;
    this.trace.push(`moves to ${target}`);
    this.lab.handOver.move(entry, target);
  }
}

/** Runs histories until one is not as it has to be. Throws with what replays it. */
export function runBookHistories(seeds: Iterable<number>) {
  const seen = { histories: 0, published: 0, events: 0, deaths: 0 };
  for (const seed of seeds) {
    const history = new BookHistory(seed);
    try {
      history.run();
    } catch (fault) {
      const what = `RINGCAST_BOOK_HISTORY=${seed} replays it: ${(fault as Error).message}\n${history.traced}`;
      throw new Error(what, { cause: fault });
    }
    seen.histories++;
    seen.published += history.published;
    seen.events += history.events;
    seen.deaths += history.laneClock.deaths;
  }
  return seen;
}
