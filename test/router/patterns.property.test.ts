// Seeded histories of topics that begin, move and vanish, lanes that die, patterns that come and go, refusals and publishes, against
// a plain model: who gets which messages. Both codecs at once, with and without lanes; and with rules broken on purpose.

import { describe, expect, it } from 'vitest';
import { globMatcher } from '#src/protocol/topic-pattern.js';
import type { Patterns } from '#src/router/patterns.js';
import { seededRandom } from '../support/seeded.js';
import { PatternClient, type Told } from './pattern-lab.js';
import { DEFAULTS, RouterLab } from './router-lab.js';

const TOPICS = ['a:1', 'a:2', 'b:1', 'b:2', 'a:1:x', 'secret:1', 'later:1', 'later:2'];
const PATTERNS = ['*', '**', 'a:*', '*:1', 'a:*:x', 'later:*', '*e*', 'b:1*', '*t:1'];
const STEPS = 120;

interface Subscribed {
  readonly pattern: string;
  readonly matches: (name: string) => boolean;
  /** Lives of topics that were unsubscribed from by themselves. */
  readonly left: Set<string>;
}

/** What a client is to get, by the epoch of a topic's life. */
class ModelClient {
  readonly real: PatternClient;
  readonly patterns: Subscribed[] = [];
  /** Topics that it subscribes to by themselves, by their epochs. */
  readonly own = new Map<string, string>();
  readonly due = new Map<string, Map<number, 'must' | 'may'>>();
  /** The epoch of what it was introduced to last by this name, and the message that it has had last. */
  readonly #current = new Map<string, { epoch: string; seq: number }>();
  readonly #got = new Map<string, Set<number>>();

  constructor(real: PatternClient) {
    this.real = real;
  }

  wants(topic: string, epoch: string): boolean {
    if (this.own.has(epoch)) return true;
    return !topic.startsWith('secret') && this.patterns.some((its) => its.matches(topic) && !its.left.has(epoch));
  }

  expect(epoch: string, seq: number, how: 'must' | 'may'): void {
    const due = this.due.get(epoch) ?? new Map();
    this.due.set(epoch, due.set(seq, how));
  }

  read(told: readonly Told[]): void {
    for (const each of told) {
      if (each.kind === 'topic' || (each.kind === 'ok' && each.epoch !== undefined)) {
        this.#current.set(each.topic, { epoch: each.epoch, seq: each.seq });
      } else if (each.kind === 'event') this.#event(each.topic, each.seq);
      else if (each.kind === 'end') this.#current.delete(each.topic);
      else if (each.kind !== 'ok' && each.kind !== 'error') throw new Error(`was told ${JSON.stringify(each)}`);
    }
  }

  #event(topic: string, seq: number): void {
    const current = this.#current.get(topic);
    if (current === undefined) throw new Error(`${topic} ${seq} comes ahead of its introduction`);
    if (seq !== current.seq + 1) throw new Error(`${topic} ${seq} comes behind ${current.seq}`);
    current.seq = seq;
    const got = this.#got.get(current.epoch) ?? new Set();
    this.#got.set(current.epoch, got.add(seq));
    if (this.due.get(current.epoch)?.has(seq) !== true) throw new Error(`${topic} ${seq} comes, and is not wanted`);
  }

  check(): void {
    for (const [epoch, due] of this.due) {
      for (const [seq, how] of due) {
        if (how === 'must' && this.#got.get(epoch)?.has(seq) !== true) throw new Error(`${epoch} ${seq} does not come`);
      }
    }
  }
}

class History {
  readonly lab: RouterLab;
  readonly #random: () => number;
  readonly #clients: ModelClient[];
  readonly #feed;
  readonly #hasLanes: boolean;
  /** Messages that may not have got through yet. */
  #unsettled: { epoch: string; seq: number }[] = [];

  constructor(seed: number, hasLanes: boolean) {
    this.#random = seededRandom(seed);
    this.#hasLanes = hasLanes;
    const hooks = {
      authorize: ({ action, topic }: { action: string; topic: string }) => {
        if (action !== 'subscribe') return true;
        return topic.startsWith('later') ? Promise.resolve(true) : !topic.startsWith('secret');
      },
    };
    const defaults = { ...DEFAULTS, historyMessages: seed % 2 === 0 ? 100 : 0 };
    const lanes = hasLanes ? { laneRingBytes: 2 ** 16, lanes: 2 } : {};
    const rules = [{ match: '*:1', home: hasLanes ? ('hot' as const) : ('cold' as const) }];
    this.lab = new RouterLab({ hooks, ...lanes, registry: { defaults, rules } });
    this.#feed = this.lab.client();
    const codecs = ['msgpack', 'json', 'msgpack', 'json'] as const;
    this.#clients = codecs.map((codec) => new ModelClient(new PatternClient(this.lab, codec)));
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      if (this.#random() < 0.4) await this.#settle();
      await this.#step();
    }
    await this.#settle();
    for (const client of this.#clients) client.check();
    expect(this.lab.faults).toEqual([]);
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)];
  }

  async #settle(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      // A lane that has died takes a moment to go on.
      if (this.#hasLanes) this.lab.advance(500);
      else this.lab.settle();
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const client of this.#clients) client.read(client.real.takeTold());
    this.#unsettled = [];
  }

  async #step(): Promise<void> {
    const client = this.#pick(this.#clients);
    const dice = this.#random();
    if (dice < 0.45) this.#publish(this.#pick(TOPICS));
    else if (dice < 0.58) this.#subscribeToPattern(client, this.#pick(PATTERNS));
    else if (dice < 0.64) this.#endPattern(client);
    else if (dice < 0.75) await this.#subscribe(client, this.#pick(TOPICS));
    else if (dice < 0.8) this.#unsubscribe(client, this.#pick(TOPICS));
    else if (dice < 0.86) this.#unsubscribe(client, this.#pick([...client.own.values(), 'a:1']));
    else if (dice < 0.9) this.#updatePattern(client);
    else if (dice < 0.94) this.#delete(this.#pick(TOPICS));
    else if (dice < 0.96) this.lab.threads.alive.at(-1)?.die(new Error('killed'));
    else this.#move(this.#pick(TOPICS));
  }

  #publish(topic: string): void {
    const count = 1 + Math.floor(this.#random() * 3);
    for (let each = 0; each < count; each++) {
      this.#feed.send({ type: 'publish', topic, payload: each });
      const entry = this.lab.topics.find(topic)!;
      const { epoch } = entry.spec;
      // Numbers follow what was accepted: nothing is refused here.
      const seq = entry.acceptedMessages;
      this.#unsettled.push({ epoch, seq });
      for (const client of this.#clients) if (client.wants(topic, epoch)) client.expect(epoch, seq, 'must');
    }
  }

  /** Messages on their way may come, or may not. */
  #unsure(client: ModelClient, isMore: boolean): void {
    // What a lane has not numbered yet comes behind a new subscription.
    if (isMore && !this.#hasLanes) return;
    for (const { epoch, seq } of this.#unsettled) client.expect(epoch, seq, 'may');
  }

  #subscribeToPattern(client: ModelClient, pattern: string): void {
    const matches = globMatcher(pattern);
    client.real.subscribe(pattern);
    this.#unsure(client, true);
    const normal = (text: string): string => text.replace('**', '*');
    if (client.patterns.some((its) => normal(its.pattern) === normal(pattern))) return;
    client.patterns.push({ pattern, matches, left: new Set() });
  }

  #endPattern(client: ModelClient): void {
    if (client.patterns.length === 0) return;
    const ended = this.#pick(client.patterns);
    client.patterns.splice(client.patterns.indexOf(ended), 1);
    client.real.unsubscribe(ended.pattern);
    this.#unsure(client, false);
  }

  #updatePattern(client: ModelClient): void {
    if (client.patterns.length > 0) client.real.update(this.#pick(client.patterns).pattern, { policy: 'disconnect' });
  }

  async #subscribe(client: ModelClient, topic: string): Promise<void> {
    await this.#settle();
    client.real.subscribe(topic);
    await this.#settle();
    const entry = this.lab.topics.find(topic);
    if (entry !== undefined && !topic.startsWith('secret')) client.own.set(entry.spec.epoch, topic);
  }

  #unsubscribe(client: ModelClient, topic: string): void {
    const entry = this.lab.topics.find(topic);
    client.real.unsubscribe(topic);
    this.#unsure(client, false);
    if (entry === undefined || client.own.delete(entry.spec.epoch)) return;
    for (const its of client.patterns) if (its.matches(topic)) its.left.add(entry.spec.epoch);
  }

  #delete(topic: string): void {
    if (!this.lab.topics.delete(topic)) return;
    for (const client of this.#clients) this.#unsure(client, false);
  }

  #move(topic: string): void {
    const entry = this.lab.topics.find(topic);
    if (!this.#hasLanes || entry === undefined) return;
    void this.lab.core.keeper.pin(entry, this.#pick(['cold', 0, 1] as const)).catch(() => {});
  }
}

async function run(seed: number, hasLanes: boolean, breakRule: (patterns: Patterns) => void = () => {}): Promise<void> {
  const history = new History(seed, hasLanes);
  breakRule(history.lab.router.patterns);
  try {
    await history.run();
  } catch (fault) {
    throw new Error(`seed ${seed}: ${(fault as Error).message}`, { cause: fault });
  }
}

describe('patterns against a model', () => {
  it.each([
    ['cold topics only', false, 1],
    ['two lanes', true, 1001],
  ])('%s', async (_, hasLanes, firstSeed) => {
    for (let seed = firstSeed; seed < firstSeed + 80; seed++) await run(seed, hasLanes);
  });

  it.each<[string, (patterns: Patterns) => void]>([
    [
      'a topic is not looked at with every message',
      (patterns) => {
        const meet = patterns.meet.bind(patterns);
        let count = 0;
        patterns.meet = (entry) => (++count % 3 === 0 ? undefined : meet(entry));
      },
    ],
    [
      'a topic that was left is brought all the same',
      (patterns) => {
        patterns.leaveOut = () => true;
      },
    ],
    [
      'a pattern does not take back a topic whose own subscription ends',
      (patterns) => {
        patterns.takeBack = () => false;
      },
    ],
  ])('finds it when %s', async (_, breakRule) => {
    const runs = Array.from({ length: 30 }, (__, index) => run(index + 1, false, breakRule));
    const results = await Promise.allSettled(runs);
    expect(results.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
  });
});
