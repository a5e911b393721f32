// Durable subscriptions against a plain model: whatever comes, goes, moves or dies, each gets what it has not acknowledged.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { Acking } from '#src/delivery/acking.js';
import { Delivery } from '#src/delivery/delivery.js';
import type { ServerMessage } from '#src/protocol/messages.js';
import { seededRandom } from '../support/seeded.js';
import { type RouterClient, RouterLab } from './router-lab.js';

const STEPS = 120;
/** So many are retained, whatever the home. */
const MESSAGES_MAX = 450;
const NAMES = ['a', 'b', 'c', 'd'];
const KINDS = [
  { options: {}, matches: () => true },
  { options: { filter: 'n % 3 == 0' }, matches: (seq: number) => seq % 3 === 0 },
  { options: { fields: ['n'] }, matches: () => true },
  { options: { policy: 'disconnect' as const, maxDelayMs: 1 }, matches: () => true },
];

/** What a name's subscription is to have got, as slow and obvious as can be. */
class Named {
  readonly name: string;
  readonly maxUnacked: number;
  readonly kind: (typeof KINDS)[number];
  readonly isJson: boolean;
  client: RouterClient | null = null;
  isBlocked = false;
  acked = -1;
  cursor = 0;
  unacked: number[] = [];

  constructor(name: string, random: (below: number) => number) {
    this.name = name;
    this.maxUnacked = 1 + random(random(2) === 0 ? 4 : 40);
    this.kind = KINDS[random(KINDS.length)];
    this.isJson = random(2) === 0;
  }

  /** What comes next. */
  next(head: number): number[] {
    const fresh: number[] = [];
    if (this.client === null || this.isBlocked) return fresh;
    for (; this.cursor <= head && this.unacked.length < this.maxUnacked; this.cursor++) {
      if (!this.kind.matches(this.cursor)) continue;
      fresh.push(this.cursor);
      this.unacked.push(this.cursor);
    }
    return fresh;
  }

  ack(seq: number): void {
    this.acked = Math.max(this.acked, seq);
    this.unacked = this.unacked.filter((other) => other > seq);
  }
}

class History {
  readonly lab = new RouterLab({
    laneRingBytes: 2 ** 18,
    lanes: 2,
    registry: { rules: [{ match: '*', home: 'auto', retainMs: 3_600_000 }] },
  });
  readonly #random: (below: number) => number;
  readonly #feed = this.lab.client();
  readonly #bystander = this.lab.client();
  readonly #names: Named[];
  /** Those that had to give way: they get nothing more. */
  readonly #gone: RouterClient[] = [];
  readonly #isWatched: boolean;
  #head = 0;
  #seen = 0;

  constructor(seed: number) {
    const random = seededRandom(seed);
    this.#random = (below) => Math.floor(random() * below);
    this.#names = NAMES.map((name) => new Named(name, this.#random));
    this.lab.topics.declare('t');
    // In the others nobody else keeps the topic's streams.
    this.#isWatched = seed % 2 === 0;
    if (this.#isWatched) this.#bystander.send({ type: 'subscribe', topic: 't' });
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) {
      this.#act();
      this.lab.advance(2);
      this.#check();
    }
    expect(this.lab.faults).toEqual([]);
  }

  #act(): void {
    const random = this.#random;
    const named = this.#names[random(NAMES.length)];
    switch (random(12)) {
      case 0:
      case 1:
      case 2:
        this.#publish(1 + random(random(8) === 0 ? 60 : 5));
        break;
      case 3:
      case 4:
        this.#come(named);
        break;
      case 5:
        named.client?.close();
        named.client = null;
        break;
      case 6:
        if (named.client === null) break;
        named.isBlocked = !named.isBlocked;
        if (named.isBlocked) this.lab.delivery.blocked(named.client.session.consumer);
        else this.lab.delivery.drained(named.client.session.consumer);
        break;
      case 7:
        this.#move();
        break;
      default:
        this.#ack(named);
    }
  }

  #publish(count: number): void {
    for (let left = count; left > 0 && this.#head < MESSAGES_MAX; left--)
      this.#feed.send({ type: 'publish', topic: 't', payload: { n: ++this.#head, other: 1 } });
  }

  /** A connection subscribes under the name: for the first time, again, or in the place of another one. */
  #come(named: Named): void {
    const before = named.client;
    const { name, maxUnacked, kind, isJson, acked } = named;
    const client = isJson ? this.lab.jsonClient() : this.lab.client();
    if (isJson) {
      const { maxDelayMs, ...options } = kind.options as Record<string, unknown>;
      const more = maxDelayMs === undefined ? {} : { max_delay_ms: maxDelayMs };
      const wishes = { ...options, ...more, durable: name, max_unacked: maxUnacked };
      client.sendJson({ type: 'subscribe', request_id: 1, topic: 't', ...wishes });
    } else
      client.send({ type: 'subscribe', id: 1, topic: 't', options: { ...kind.options, durable: name, maxUnacked } });
    const recovered = acked < 0 ? undefined : true;
    if (acked < 0) named.acked = this.#head;
    if (isJson) {
      const [ack] = client.sink.takeJson();
      expect(ack).toMatchObject({ type: 'ack', status: 'ok', seq: named.acked });
      expect(ack.recovered).toBe(recovered);
    } else {
      const [ok] = client.sink.take() as { result: object }[];
      expect(ok).toMatchObject({ type: 'ok', result: { seq: named.acked } });
      expect((ok.result as { recovered?: boolean }).recovered).toBe(recovered);
    }
    Object.assign(named, { client, isBlocked: false, unacked: [], cursor: named.acked + 1 });
    if (before === null) return;
    expect(received(before, isJson)).toEqual(['unsubscribed CONFLICT']);
    this.#gone.push(before);
  }

  #ack(named: Named): void {
    if (named.client === null) return;
    const { unacked, cursor, acked } = named;
    const [past, beyond] = [this.#random(6) === 0, this.#random(10) === 0];
    let seq = past ? this.#random(acked + 1) : (unacked[this.#random(unacked.length)] ?? acked);
    // What the stream has no message for has been passed by its cursor only as far as it has been sent something.
    if (beyond) seq = Math.max(cursor, this.#head + 1);
    const alias = this.lab.topics.find('t')!.spec.alias;
    if (named.isJson) named.client.sendJson({ type: 'ack', topic: 't', seq });
    else named.client.send({ type: 'ack', topic: alias, seq });
    if (beyond) expect(received(named.client, named.isJson)).toEqual(['error BAD_REQUEST']);
    else named.ack(seq);
  }

  #move(): void {
    const entry = this.lab.topics.find('t')!;
    this.lab.settle();
    if (entry.isHot && this.#random(2) === 0) {
      const { alive } = this.lab.threads;
      alive[this.#random(alive.length)]?.die(new Error('killed'));
      this.lab.advance(400);
    } else this.lab.handOver.move(entry, this.#random(3) - 1, () => {});
    this.lab.advance(5);
  }

  #check(): void {
    for (const frame of this.#bystander.take()) if (frame.type === 'event') expect(frame.seq).toBe(++this.#seen);
    if (this.#isWatched) expect(this.#seen).toBe(this.#head);
    for (const client of this.#gone) expect(client.sink.messages).toEqual([]);
    for (const named of this.#names) {
      const expected = named.next(this.#head).map((seq) => `event ${seq}`);
      if (named.client !== null) expect(received(named.client, named.isJson), named.name).toEqual(expected);
    }
  }
}

function received(client: RouterClient, isJson: boolean): string[] {
  if (!isJson) return client.sink.take().flatMap(shortOf);
  return client.sink.takeJson().map(({ type, seq, error, code }) => {
    if (type === 'event') return `event ${seq as number}`;
    return type === 'error' ? `error ${(error as { code: string }).code}` : `${type as string} ${code as string}`;
  });
}

function shortOf(frame: ServerMessage): string[] {
  if (frame.type === 'event') return [`event ${frame.seq}`];
  return [frame.type === 'error' || frame.type === 'unsubscribed' ? `${frame.type} ${frame.code}` : frame.type];
}

function runHistories(count: number): void {
  for (let seed = 1; seed <= count; seed++) {
    try {
      new History(seed).run();
    } catch (failure) {
      throw new Error(`history ${seed}`, { cause: failure });
    }
  }
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('durable subscriptions', () => {
  it('get what their names have not acknowledged, in any history', () => {
    runHistories(150);
  }, 120_000);

  it.each<[string, () => void]>([
    ['room', () => void vi.spyOn(Acking.prototype, 'room', 'get').mockReturnValue(1000)],
    ['waking', () => void vi.spyOn(Acking.prototype, 'ack').mockReturnValue(false)],
    ['counting', () => void vi.spyOn(Acking.prototype, 'sent').mockReturnValue(undefined)],
    ['giving way', () => void vi.spyOn(Delivery.prototype, 'unsubscribe').mockReturnValue(false)],
  ])('a model that does not find a broken rule proves nothing: %s', (_, breakIt) => {
    breakIt();
    expect(() => runHistories(20)).toThrow(/history/);
  });
});
