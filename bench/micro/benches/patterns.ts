// Subscriptions to patterns: what they cost who publishes. Turns of the event loop run outside the stopwatch: what sending
// costs is delivery's, and the same as without patterns. 10,000 topics, of which 100 are published to in turn.

import { SEND_OK, type Sink } from '../../../dist/delivery/sink.js';
import type { TopicEntry } from '../../../dist/directory/topic-entry.js';
import { Core, type CoreOptions } from '../../../dist/engine/core.js';
import { RingcastError } from '../../../dist/errors.js';
import { encodeClientFrame } from '../../../dist/protocol/client-frames.js';
import { msgpackEncoder } from '../../../dist/protocol/encoder-msgpack.js';
import { encode } from '../../../dist/protocol/msgpack.js';
import { MsgpackReader } from '../../../dist/protocol/msgpack-reader.js';
import { Session } from '../../../dist/router/session.js';
import type { Loop } from '../../../dist/time/loop.js';
import { type Group, type Stopwatch, type TimeBench, verify, type Work } from '../bench.js';

const BURST = 1000;
const SUBSCRIBERS = 1000;
const TOPICS = 10_000;
const ACTIVE_TOPICS = 100;
const PAYLOAD = encode({ price: 229.1, size: 100 });
const RETENTION = { ms: 0, messages: 0, bytes: 0 };

/** Turns run when the bench says so; the clock moves on with each. */
class TurnedLoop implements Loop {
  #now = 1;
  #soon: (() => void)[] = [];

  nowMs(): number {
    return this.#now;
  }

  epochMs(): number {
    return this.#now;
  }

  busyMs(): number {
    return 0;
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  after(): () => void {
    return () => {};
  }

  settle(): void {
    while (this.#soon.length > 0) {
      this.#now++;
      for (const callback of this.#soon.splice(0)) callback();
    }
  }
}

class TakingSink implements Sink {
  messages = 0;

  send(): typeof SEND_OK {
    this.messages++;
    return SEND_OK;
  }

  sendEach(): typeof SEND_OK {
    return SEND_OK;
  }

  reply(): void {}

  end(): void {}
}

function coreOptions(): CoreOptions {
  return {
    delivery: { budgetMs: 1 },
    cold: { dataMaxBytes: 65_536, framesMax: 256, logsMaxBytes: 2 ** 30, retention: RETENTION },
    lanes: { lanes: 0, ringBytes: 0, stallMs: 1000, logSizes: { dataBytes: 65_536, frames: 256 }, maxHotTopics: 0 },
    topics: {
      ...{ autoCreate: true, maxTopics: 1_000_000, maxStreamsPerTopic: 10, maxHotTopics: 0, rules: [] },
      defaults: {
        ...{ historyMessages: 0, historyBytes: 0, maxDelayMs: 0, maxLagMs: 0, maxLagMessages: 0 },
        slowConsumerPolicy: 'drop_oldest',
      },
      retention: RETENTION,
    },
    router: {
      ...{ maxSubscriptionsPerConnection: 100_000, maxPayloadBytes: 65_536, hookTimeoutMs: 0 },
      ...{ requestTimeoutMs: 1000, maxRequestsPerConnection: 1 },
      ...{ maxPublishRatePerConnection: 0, maxPublishBurstPerConnection: 0 },
      ...{ maxDurables: 1, maxDurablesPerTopic: 1, durableTtlMs: 1000, maxUnacked: 1 },
    },
    homes: {
      hot: {
        promoteDeliveriesPerSecond: Number.POSITIVE_INFINITY,
        ...{ promoteAfterMs: 1, demoteAfterMs: 1, movesPerSecond: 1 },
      },
      rebalance: { ratio: 0 },
    },
  };
}

class World {
  readonly loop = new TurnedLoop();
  readonly core: Core;
  readonly sink = new TakingSink();
  readonly #reader = new MsgpackReader();

  constructor() {
    const fail = (fault: unknown): never => {
      throw fault;
    };
    const threads = { start: () => fail(new Error('there are no lanes')) };
    const laneEvents = { onDeath() {}, onRecovered() {}, onDegraded() {}, onPoison() {} };
    this.core = new Core(coreOptions(), {
      ...{ hooks: {}, loop: this.loop, laneClock: this.loop },
      ...{ threads, laneEvents, onFault: fail, beforeTurn: () => {} },
    });
  }

  /** Connections that subscribe to this, each. */
  subscribers(count: number, namesOf: (subscriber: number) => readonly string[]): void {
    for (let subscriber = 0; subscriber < count; subscriber++) {
      const consumer = this.core.delivery.addConsumer(this.sink, msgpackEncoder);
      const session = new Session(`${subscriber}`, consumer, null);
      for (const topic of namesOf(subscriber)) {
        const frame = encodeClientFrame({ type: 'subscribe', topic });
        this.#reader.reset(frame, 0, frame.length);
        this.#reader.next();
        // Without hooks nothing is waited for.
        void this.core.router.handle(session, this.#reader);
      }
    }
  }

  entry(topic: string): TopicEntry {
    const entry = this.core.topics.obtain(topic);
    if (entry instanceof RingcastError) throw entry;
    return entry;
  }

  publish(entry: TopicEntry): void {
    this.core.router.publishing.publishLocally(entry, PAYLOAD, undefined, this.loop.nowMs(), null, false);
  }
}

type Crowd = (world: World) => void;

/** Who subscribes to what. */
const CROWDS: Readonly<Record<string, Crowd>> = {
  nobody: () => {},
  'other-patterns': (world) => world.subscribers(SUBSCRIBERS, (subscriber) => [`other:${subscriber}:*`]),
  'its-topics': (world) =>
    world.subscribers(SUBSCRIBERS, () => Array.from({ length: ACTIVE_TOPICS }, (_, topic) => `prices:${topic}`)),
  'its-pattern': (world) => world.subscribers(SUBSCRIBERS, () => ['prices:*']),
};

class Publishing implements Work {
  readonly #world = new World();
  readonly #active: TopicEntry[];

  constructor(crowd: string) {
    const world = this.#world;
    const entries = Array.from({ length: TOPICS }, (_, topic) => {
      world.core.topics.declare(`prices:${topic}`);
      return world.entry(`prices:${topic}`);
    });
    this.#active = entries.slice(0, ACTIVE_TOPICS);
    CROWDS[crowd](world);
    this.run(2, { start() {}, stop() {} });
    const isWatched = crowd.startsWith('its');
    const { subscriptions } = world.core.delivery.load;
    verify(subscriptions === (isWatched ? SUBSCRIBERS * ACTIVE_TOPICS : 0), `${subscriptions} subscriptions`);
    verify(world.sink.messages > 0 === isWatched, 'messages do not arrive');
  }

  run(times: number, watch: Stopwatch): number {
    const { publishing } = this.#world.core.router;
    const before = publishing.acceptedMessages;
    for (let time = 0; time < times; time++) {
      watch.start();
      for (let n = 0; n < BURST; n++) this.#world.publish(this.#active[n % ACTIVE_TOPICS]);
      watch.stop();
      this.#world.loop.settle();
    }
    return publishing.acceptedMessages - before;
  }

  expected(times: number): number {
    return times * BURST;
  }

  close(): void {
    this.#world.core.close();
  }
}

/** Topics that begin with their first message; of the patterns one matches each. */
class Beginning implements Work {
  readonly #world = new World();

  constructor(hasPatterns: boolean) {
    if (hasPatterns) this.#world.subscribers(SUBSCRIBERS, (subscriber) => [`user:${subscriber}:*`]);
    this.run(1, { start() {}, stop() {} });
    verify(this.#world.sink.messages > 0 === hasPatterns, 'messages do not arrive');
  }

  run(times: number, watch: Stopwatch): number {
    const { publishing } = this.#world.core.router;
    const { topics } = this.#world.core;
    const before = publishing.acceptedMessages;
    for (let time = 0; time < times; time++) {
      const names = Array.from({ length: BURST }, (_, n) => `user:${n % SUBSCRIBERS}:${n}`);
      watch.start();
      for (const name of names) this.#world.publish(this.#world.entry(name));
      watch.stop();
      this.#world.loop.settle();
      for (const name of names) topics.delete(name);
      this.#world.loop.settle();
    }
    return publishing.acceptedMessages - before;
  }

  expected(times: number): number {
    return times * BURST;
  }

  close(): void {
    this.#world.core.close();
  }
}

function publishing(crowd: string): TimeBench {
  return {
    ...{ kind: 'time', name: `publish/${crowd}`, item: 'message', items: BURST },
    ...(crowd === 'nobody' ? {} : { against: crowd === 'its-pattern' ? 'publish/its-topics' : 'publish/nobody' }),
    prepare: () => new Publishing(crowd),
  };
}

function beginning(name: string, hasPatterns: boolean): TimeBench {
  return {
    ...{ kind: 'time', name: `first-message/${name}`, item: 'topic', items: BURST },
    ...(hasPatterns ? { against: 'first-message/nobody' } : {}),
    prepare: () => new Beginning(hasPatterns),
  };
}

export const group: Group = {
  name: 'patterns',
  title: `patterns: publishing beside ${SUBSCRIBERS} subscribers, to topics that exist and to new ones`,
  benches: [...Object.keys(CROWDS).map(publishing), beginning('nobody', false), beginning('patterns', true)],
};
