// Delivery: what a turn does per subscriber: marking it pending, and flushing it. The sink takes everything and does
// nothing, the clock stands still, so that only delivery's own work is left.

import type { Consumer } from '../../../dist/delivery/consumer.js';
import { Delivery } from '../../../dist/delivery/delivery.js';
import { SEND_OK, type Sink } from '../../../dist/delivery/sink.js';
import { policyNumber } from '../../../dist/delivery/slow-consumer.js';
import type { Stream } from '../../../dist/delivery/stream.js';
import { DELAY_OF_STREAM } from '../../../dist/delivery/subscription-table.js';
import type { FrameLog } from '../../../dist/log/frame-log.js';
import { PlainLog } from '../../../dist/log/plain-log.js';
import { SharedLog } from '../../../dist/log/shared-log.js';
import { allocateSharedLog } from '../../../dist/log/shared-memory.js';
import { jsonEncoder } from '../../../dist/protocol/encoder-json.js';
import { msgpackEncoder } from '../../../dist/protocol/encoder-msgpack.js';
import type { Loop } from '../../../dist/time/loop.js';
import { CANONICAL, JSON_STREAM } from '../../../dist/variant/stream-spec.js';
import { type Group, type Stopwatch, type TimeBench, verify, type Work } from '../bench.js';

const FRAME = new Uint8Array(85).fill(0x61);
const EPOCH_MS = 1_700_000_000_000;
const BUDGET_MS = 1;
const SHARED_SIZES = { dataBytes: 4 * 1024 * 1024, frames: 16_384 };
const PLAIN_LIMITS = { dataBytes: 16_384, frames: 128, retainMs: 0, historyMessages: 100, historyBytes: 16_384 };
/** Delivery flushes so many between two looks at the clock. */
const FLUSHES_PER_CLOCK_READ = 8;

/** Turns run when the bench says so. The clock stands still, or moves on by a turn's budget at every look. */
class ManualScheduler implements Loop {
  isRushed: () => boolean = () => false;
  #now = 0;
  #turn: (() => void) | null = null;

  nowMs(): number {
    if (this.isRushed()) this.#now += BUDGET_MS;
    return this.#now;
  }

  epochMs(): number {
    return EPOCH_MS;
  }

  busyMs(): number {
    return 0;
  }

  soon(callback: () => void): void {
    this.#turn = callback;
  }

  after(): () => void {
    return () => {};
  }

  get hasTurn(): boolean {
    return this.#turn !== null;
  }

  runTurn(): void {
    const turn = this.#turn;
    this.#turn = null;
    turn?.();
  }
}

/** Counts what it is given, and looks at the first byte, so that the bytes have to be there. */
class CountingSink implements Sink {
  static messages = 0;
  static bytes = 0;

  send(message: Uint8Array): typeof SEND_OK {
    CountingSink.messages += message[0] === FRAME[0] ? 1 : 0;
    CountingSink.bytes += message.length;
    return SEND_OK;
  }

  sendEach(bytes: Uint8Array, ends: readonly number[]): typeof SEND_OK {
    CountingSink.messages += bytes[0] === FRAME[0] ? ends.length : 0;
    CountingSink.bytes += ends[ends.length - 1];
    return SEND_OK;
  }

  reply(): void {}

  end(): void {
    throw new Error('wrong result: a subscriber was disconnected');
  }
}

interface Setup {
  readonly subscribers: number;
  /** Everyone is subscribed to all of them. */
  readonly streams: number;
  /** Appended to each stream before a turn. */
  readonly frames: number;
  readonly isHot: boolean;
  readonly isText: boolean;
}

const DEFAULTS: Setup = { subscribers: 1024, streams: 1, frames: 1, isHot: true, isText: false };

const NO_EVENTS = {
  beforeTurn: () => {},
  onFault: () => {},
  onStreamUnused: () => {},
  snapshotFor: () => {
    throw new Error('there are no snapshots here');
  },
};

/** One operation: messages arrive, everyone is marked and flushed. */
class Turns {
  readonly #setup: Setup;
  readonly #scheduler = new ManualScheduler();
  readonly #delivery = new Delivery({ budgetMs: BUDGET_MS }, this.#scheduler, NO_EVENTS);
  readonly #streams: Stream[];
  /** Flushes so far when marking began; Infinity while nobody marks. */
  #flushesBefore = Number.POSITIVE_INFINITY;

  constructor(setup: Setup) {
    this.#setup = setup;
    // The first flush ends the marking.
    this.#scheduler.isRushed = () => this.#delivery.counters.flushes > this.#flushesBefore;
    const { isHot, isText } = setup;
    const openLog = (): FrameLog =>
      isHot ? new SharedLog(allocateSharedLog(SHARED_SIZES, 1)) : new PlainLog(PLAIN_LIMITS);
    this.#streams = Array.from({ length: setup.streams }, (_, index) =>
      this.#delivery.addStream({
        ...{ alias: index + 1, topic: `topic-${index}`, spec: isText ? JSON_STREAM : CANONICAL, isHot, log: openLog() },
        ...{ maxDelayMs: 0, maxLagMessages: 0, maxLagMs: 0 },
      }),
    );
    const consumers = Array.from({ length: setup.subscribers }, () => this.#subscriber());
    this.#verifyOne(consumers);
  }

  #subscriber(): Consumer {
    const encoder = this.#setup.isText ? jsonEncoder : msgpackEncoder;
    const consumer = this.#delivery.addConsumer(new CountingSink(), encoder);
    const options = { cursor: 1, policy: policyNumber('drop_oldest'), delayMs: DELAY_OF_STREAM };
    for (const stream of this.#streams) this.#delivery.subscribe(consumer, stream, options);
    return consumer;
  }

  append(): void {
    for (const stream of this.#streams) {
      const { log } = stream;
      for (let frame = 0; frame < this.#setup.frames; frame++) {
        log.begin(FRAME.length, EPOCH_MS, 0, 0);
        log.write(FRAME, 0, FRAME.length);
        log.commit(log.headSeq + 1);
      }
      this.#delivery.headMoved(stream);
    }
  }

  /** A turn whose time is up as soon as everyone is marked; only the first few are flushed. */
  mark(): void {
    this.#flushesBefore = this.#delivery.counters.flushes;
    this.#scheduler.runTurn();
    this.#flushesBefore = Number.POSITIVE_INFINITY;
  }

  flush(): void {
    while (this.#scheduler.hasTurn) this.#scheduler.runTurn();
  }

  /** Bytes that reach the sinks in one operation. */
  get bytes(): number {
    const { subscribers, streams, frames } = this.#setup;
    return subscribers * streams * frames * FRAME.length;
  }

  #verifyOne(consumers: readonly Consumer[]): void {
    const { subscribers, streams, frames } = this.#setup;
    const { deliveries, flushes } = this.#delivery.counters;
    this.append();
    this.mark();
    verify(
      consumers.filter(({ isPending }) => isPending).length === subscribers - this.flushedByMark,
      'not all pending',
    );
    this.flush();
    verify(!consumers.some(({ isPending }) => isPending), 'somebody is still pending');
    const { counters } = this.#delivery;
    verify(counters.deliveries - deliveries === subscribers * streams * frames, 'not all delivered');
    verify(counters.flushes - flushes === subscribers, 'more flushes than subscribers');
    verify(counters.lostMessages === 0 && this.#delivery.load.ready === 0, 'messages were lost');
  }

  get flushedByMark(): number {
    return Math.min(FLUSHES_PER_CLOCK_READ, this.#setup.subscribers);
  }
}

/** Measures marking or flushing; the other is done in between. */
function turns(setup: Setup, part: 'mark' | 'flush'): Work {
  const all = new Turns(setup);
  return {
    run(times: number, watch: Stopwatch): number {
      const before = CountingSink.bytes;
      for (let time = 0; time < times; time++) {
        all.append();
        if (part === 'mark') watch.start();
        all.mark();
        if (part === 'mark') watch.stop();
        else watch.start();
        all.flush();
        if (part === 'flush') watch.stop();
      }
      return CountingSink.bytes - before;
    },
    expected: (times) => times * all.bytes,
  };
}

function bench(name: string, part: 'mark' | 'flush', changes: Partial<Setup>): TimeBench {
  const setup = { ...DEFAULTS, ...changes };
  // A turn that marks flushes the first few; they are left out of what a flush is counted for.
  const items = part === 'mark' ? setup.subscribers : setup.subscribers - FLUSHES_PER_CLOCK_READ;
  return { kind: 'time', name, item: 'subscriber', items, prepare: () => turns(setup, part) };
}

export const group: Group = {
  name: 'delivery',
  title:
    'a turn: mark every subscriber pending (and flush the first 8), then flush the others; a sink that does nothing',
  benches: [
    bench('mark/subscribers=64', 'mark', { subscribers: 64 }),
    bench('mark/subscribers=1024', 'mark', {}),
    bench('mark/subscribers=16384', 'mark', { subscribers: 16_384 }),
    bench('flush/subscribers=64', 'flush', { subscribers: 64 }),
    bench('flush/subscribers=1024', 'flush', {}),
    bench('flush/subscribers=16384', 'flush', { subscribers: 16_384 }),
    bench('flush/cold', 'flush', { isHot: false }),
    bench('flush/frames=50', 'flush', { frames: 50 }),
    bench('flush/json', 'flush', { isText: true }),
    bench('flush/json/frames=50', 'flush', { isText: true, frames: 50 }),
    bench('flush/topics-per-subscriber=10', 'flush', { streams: 10, isHot: false }),
  ],
};
