// Recorded market data as six books: what subscribers have is what a plain reconstruction from the file says.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { BookMirror } from '#src/book/book-mirror.js';
import { openRecording, parseLine } from '#src/cli/recording.js';
import { SEND_BLOCKED, SEND_OK } from '#src/delivery/sink.js';
import type { ServerMessage, SubscribeOptions } from '#src/protocol/messages.js';
import { decode } from '#src/protocol/msgpack.js';
import { type RouterClient, RouterLab } from '../router/router-lab.js';
import { expectLevels } from './same-levels.js';

const RECORDING = fileURLToPath(new URL('../../../shared/data/binance-20240808.ndjson.gz', import.meta.url));
const isThere = existsSync(RECORDING);
if (!isThere)
  console.log(
    'book tests are skipped: the recording shared/data/binance-20240808.ndjson.gz is not beside the repository',
  );

const SNAPSHOT_EVERY = 1000;
const STALL_FROM_MS = 60_000;
const STALL_MS = 10_000;

type Pairs = readonly (readonly [string, string])[];
interface RawSnapshot {
  readonly lastUpdateId: number;
  readonly bids: Pairs;
  readonly asks: Pairs;
}
interface RawDifference {
  readonly U: number;
  readonly u: number;
  readonly b: Pairs;
  readonly a: Pairs;
}
interface BookLine {
  readonly timeMs: number;
  readonly topic: string;
  readonly payload: unknown;
}

/** As slow and obvious as can be: what Binance's documentation says one has to do, on plain maps. */
class PlainBook {
  readonly bids = new Map<string, [value: number, quantity: string]>();
  readonly asks = new Map<string, [value: number, quantity: string]>();
  #waiting: RawDifference[] = [];
  hasBegun = false;
  #last = 0;

  snapshot({ lastUpdateId, bids, asks }: RawSnapshot): void {
    this.hasBegun = true;
    this.#last = lastUpdateId;
    this.#put(bids, asks);
    for (const each of this.#waiting.splice(0)) this.difference(each);
  }

  difference(raw: RawDifference): void {
    if (!this.hasBegun) {
      this.#waiting.push(raw);
      return;
    }
    if (raw.u <= this.#last) return;
    this.#last = raw.u;
    this.#put(raw.b, raw.a);
  }

  #put(bids: Pairs, asks: Pairs): void {
    for (const [side, levels] of [
      [this.bids, bids],
      [this.asks, asks],
    ] as const) {
      for (const [price, quantity] of levels) {
        if (Number(quantity) === 0) side.delete(price);
        else side.set(price, [Number(price), quantity]);
      }
    }
  }

  sorted(depth = Number.POSITIVE_INFINITY): { bids: Pairs; asks: Pairs } {
    return { bids: bestOf(this.bids, -1, depth), asks: bestOf(this.asks, 1, depth) };
  }
}

function bestOf(side: PlainBook['bids'], direction: 1 | -1, depth: number): Pairs {
  const places = new Float64Array(side.size);
  let count = 0;
  for (const [value] of side.values()) places[count++] = value * direction;
  const last = places.sort()[depth - 1] ?? Number.POSITIVE_INFINITY;
  const best: [place: number, price: string, quantity: string][] = [];
  for (const [price, [value, quantity]] of side)
    if (value * direction <= last) best.push([value * direction, price, quantity]);
  return best.sort(([a], [b]) => a - b).map(([, price, quantity]) => [price, quantity]);
}

class BookReaderClient {
  readonly mirror = new BookMirror('binance');
  readonly client: RouterClient;
  readonly #isJson: boolean;
  messages = 0;
  gaps = 0;

  constructor(lab: RouterLab, topic: string, options: SubscribeOptions, isJson: boolean) {
    this.#isJson = isJson;
    this.client = isJson ? lab.jsonClient() : lab.client();
    if (isJson)
      this.client.sendJson({
        type: 'subscribe',
        topic,
        depth: options.depth,
        max_rate: options.maxRate,
        mode: options.mode,
      });
    else this.client.send({ type: 'subscribe', topic, options });
  }

  hear(): boolean {
    const before = this.messages;
    if (this.#isJson) for (const message of this.client.takeJson()) this.#takeJson(message);
    else for (const frame of this.client.take()) this.#take(frame);
    return this.messages > before;
  }

  #take(frame: ServerMessage): void {
    if (frame.type === 'event') this.#apply(decode(frame.payloadBytes));
    else if (frame.type === 'snapshot') this.#begin(frame.entries[0]?.[3]);
    else if (frame.type === 'gap') this.gaps++;
    else if (frame.type !== 'ok') throw new Error(JSON.stringify(frame));
  }

  #takeJson(message: Record<string, unknown>): void {
    if (message.type === 'event') this.#apply((message.message as { payload: unknown }).payload);
    else if (message.type === 'snapshot') this.#begin((message.entries as { payload: unknown }[])[0]?.payload);
    else if (message.type === 'gap') this.gaps++;
    else if (message.type !== 'ack') throw new Error(JSON.stringify(message));
  }

  #apply(payload: unknown): void {
    this.messages++;
    this.mirror.apply(payload);
  }

  #begin(payload: unknown): void {
    this.messages++;
    this.mirror.begin(payload);
  }

  get levels() {
    return { bids: this.mirror.bids(), asks: this.mirror.asks() };
  }
}

/** The snapshots in the file do not all say whose they are: the only book of the market near their prices is meant. */
function topicOf(market: string, { bids }: RawSnapshot): string {
  const isBtc = Number(bids[0][0]) > 10_000;
  return `${market}:${market === 'cm' ? (isBtc ? 'btcusd_perp' : 'ethusd_perp') : isBtc ? 'btcusdt' : 'ethusdt'}`;
}

async function bookLines(): Promise<BookLine[]> {
  const lines: BookLine[] = [];
  let number = 0;
  for await (const texts of (await openRecording(RECORDING)).lines()) {
    for (const text of texts) {
      if (text === '' || (text.includes('"stream"') && !text.includes('@depth@'))) continue;
      const line = parseLine(text, ++number);
      if ('problem' in line) throw new Error(line.problem);
      const [market] = line.topic.split(':');
      const isSnapshot = line.topic.endsWith(':snapshot');
      const topic = isSnapshot ? topicOf(market, line.payload as RawSnapshot) : line.topic.split('@')[0];
      lines.push({ timeMs: line.timeMs, topic, payload: line.payload });
    }
  }
  return lines;
}

interface Six {
  readonly plain: PlainBook;
  readonly every: BookReaderClient;
  readonly rated: BookReaderClient;
  readonly latest: BookReaderClient;
}

describe.skipIf(!isThere)('six recorded books', () => {
  it('are what the file says, in either home, in either codec', async () => {
    const rules = [
      { match: 'spot:*', home: 'cold', type: 'book', book: 'binance' },
      { match: 'usdm:*', home: 'hot', type: 'book', book: 'binance-futures' },
      { match: '*', home: 'cold', type: 'book', book: 'binance-futures' },
    ] as const;
    const lab = new RouterLab({ laneRingBytes: 2 ** 20, registry: { rules: [...rules] } });
    const feed = lab.client();
    const books = new Map<string, Six>();
    const lines = await bookLines();
    for (const topic of new Set(lines.map((line) => line.topic))) {
      const isJson = topic.includes('eth');
      books.set(topic, {
        plain: new PlainBook(),
        every: new BookReaderClient(lab, topic, {}, isJson),
        rated: new BookReaderClient(lab, topic, { depth: 10, maxRate: 5 }, isJson),
        latest: new BookReaderClient(lab, topic, { mode: 'latest' }, isJson),
      });
    }
    expect(books.size).toBe(6);
    const [{ timeMs: startMs }] = lines;
    const stalled = (atMs: number) => atMs >= STALL_FROM_MS && atMs < STALL_FROM_MS + STALL_MS;
    let isStalled = false;
    let ratedChecks = 0;
    let published = 0;
    const checkRated = (those: Iterable<Six> = books.values()): void => {
      for (const { plain, rated } of those) {
        if (!rated.hear() || !plain.hasBegun) continue;
        ratedChecks++;
        expectLevels(rated.levels, plain.sorted(10));
      }
    };
    for (const { timeMs, topic, payload } of lines) {
      const atMs = timeMs - startMs;
      // To just before the message: what a rate says then is of the messages so far.
      const passMs = atMs - lab.scheduler.now;
      if (passMs > 0) {
        lab.advance(passMs);
        checkRated();
      }
      if (stalled(atMs) !== isStalled) {
        isStalled = !isStalled;
        for (const { latest } of books.values()) {
          latest.client.sink.result = isStalled ? SEND_BLOCKED : SEND_OK;
          const { consumer } = latest.client.session;
          if (isStalled) lab.delivery.blocked(consumer);
          else lab.delivery.drained(consumer);
        }
      }
      const six = books.get(topic) as Six;
      const { plain } = six;
      const raw = payload as RawSnapshot | { data: RawDifference };
      if ('data' in raw) plain.difference(raw.data);
      else plain.snapshot(raw);
      feed.send({ type: 'publish', topic, payload });
      lab.settle();
      checkRated([six]);
      if (++published % SNAPSHOT_EVERY > 0) continue;
      for (const [name, { plain: model, every, latest }] of books) {
        const newcomer = new BookReaderClient(lab, name, {}, name.includes('eth'));
        lab.settle();
        newcomer.hear();
        every.hear();
        latest.hear();
        const wanted = model.sorted();
        expectLevels(newcomer.levels, wanted);
        expectLevels(every.levels, wanted);
        if (!isStalled) expectLevels(latest.levels, wanted);
        newcomer.client.close();
      }
    }
    lab.advance(1000);
    checkRated();
    for (const { plain, every, latest, rated } of books.values()) {
      every.hear();
      latest.hear();
      expect(every.levels).toEqual(plain.sorted());
      expect(latest.levels).toEqual(plain.sorted());
      expect(rated.levels).toEqual(plain.sorted(10));
      expect(rated.messages).toBeLessThan(5 * 125);
      expect(latest.messages).toBeLessThan(every.messages);
      expect(latest.gaps).toBeGreaterThan(0);
    }
    expect(published).toBeGreaterThan(24_000);
    expect(ratedChecks).toBeGreaterThan(2000);
    expect(lab.faults).toEqual([]);
  });
});
