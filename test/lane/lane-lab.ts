// One supervised lane whose thread the test steps and kills, with a clock in the test's hand.

import { expect, vi } from 'vitest';
import { LaneCounters } from '#src/counters/lane-counters.js';
import { type LinkEvents, PUBLISH_ACCEPTED } from '#src/home/link.js';
import type { LaneMemory, LaneStart } from '#src/lane/lane.js';
import { LaneSet } from '#src/lane/lane-set.js';
import type { RunningLane } from '#src/lane/pool.js';
import type { LaneEvents, PoisonedMessage, SupervisedLane } from '#src/lane/supervised-lane.js';
import type { FrameLog } from '#src/log/frame-log.js';
import { EventView } from '#src/protocol/event.js';
import { decode, encode } from '#src/protocol/msgpack.js';
import { RingReader } from '#src/ring/ring.js';
import { Topic } from '#src/topic/topic.js';
import { FakeScheduler } from '../support/fake-scheduler.js';
import { outgoing } from '../support/outgoing.js';
import { type SteppedThread, SteppedThreads } from '../support/stepped-threads.js';
import { framesOf, LARGE } from '../topic/topic-home.js';

export const STALL_MS = 2000;
const SPEC = { epoch: 'e', historyMessages: 1000, historyBytes: 2 ** 20 };

/** Knows the lane's memory, and when one of its threads is at work: faults are injected in threads only. */
class WatchedThreads extends SteppedThreads {
  memory: LaneMemory | null = null;
  isAtWork = false;

  override start(start: LaneStart, onEnded: (fault: unknown) => void): RunningLane {
    this.memory = start.memory;
    return super.start(start, onEnded);
  }
}

export class LaneLab {
  readonly scheduler = new FakeScheduler();
  readonly threads = new WatchedThreads(this.scheduler);
  readonly set: LaneSet;
  /** `died`, `recovered 12`, `poison` …, in their order. */
  readonly events: string[] = [];
  readonly poisoned: PoisonedMessage[] = [];
  /** Request → seq; NACK: 0. A second report has to say the same. */
  readonly outcomes = new Map<number, number>();
  readonly heads = new Set<number>();
  #lastRequest = 0;

  constructor() {
    const settle = (request: number, outcome: number): void => {
      expect(this.outcomes.get(request) ?? outcome, `request ${request}`).toBe(outcome);
      this.outcomes.set(request, outcome);
    };
    const handlers: LinkEvents = {
      onHead: (alias) => this.heads.add(alias),
      onAck: settle,
      onPutAside: (request) => settle(request, 0),
    };
    const events: LaneEvents = {
      onDeath: ({ reason }) => this.events.push(reason),
      onRecovered: (_lane, recoveryMs) => this.events.push(`recovered ${recoveryMs}`),
      onPoison: (_lane, message) => {
        this.events.push('poison');
        this.poisoned.push(message);
      },
      onDegraded: () => this.events.push('degraded'),
    };
    this.set = new LaneSet(
      { lanes: 1, ringBytes: 2 ** 14, stallMs: STALL_MS, logSizes: LARGE, maxHotTopics: 10 },
      handlers,
      { threads: this.threads, loop: this.scheduler, clock: this.scheduler, events },
    );
    this.lane.start();
  }

  get lane(): SupervisedLane {
    return this.set.lanes[0];
  }

  get link() {
    return this.lane.link;
  }

  /** The newest thread. */
  get thread(): SteppedThread {
    return this.threads.started.at(-1)!;
  }

  open(alias = 1): FrameLog {
    return this.link.openTopic({ ...SPEC, alias, topic: `t${alias}` });
  }

  /** Publishes and asks for an ack. Returns the request's number. */
  publish(payload: unknown, alias = 1): number {
    expect(this.accepts(payload, alias)).toBe(true);
    return this.#lastRequest;
  }

  /** The same; false: the ring is full. */
  accepts(payload: unknown, alias = 1): boolean {
    const message = outgoing(encode(payload), { timeMs: 1, monotonicMs: 1, request: ++this.#lastRequest });
    return this.link.publish(alias, message) === PUBLISH_ACCEPTED;
  }

  /** A step of the newest thread, on its own. */
  step(): boolean {
    this.threads.isAtWork = true;
    const hasWorked = this.thread.step();
    this.threads.isAtWork = false;
    return hasWorked;
  }

  kill(): void {
    this.thread.die(new Error('killed'));
  }

  /** Lane and accept thread, until there is nothing left to do at this time. */
  settle(): void {
    for (let isBusy = true; isBusy; ) {
      this.scheduler.settle();
      isBusy = this.step();
      this.set.drain();
      isBusy ||= this.scheduler.soonCount > 0;
    }
  }

  /** Time passes for the accept thread; the lane's thread runs in each so many milliseconds. */
  advance(ms: number, stepEveryMs = 100): void {
    this.settle();
    for (let elapsedMs = 0; elapsedMs < ms; elapsedMs += stepEveryMs) {
      this.scheduler.advance(Math.min(stepEveryMs, ms - elapsedMs));
      this.settle();
    }
  }

  /** Position of the first unreleased record of this type. */
  positionOf(type: number): number {
    const reader = new RingReader(this.threads.memory!.requests);
    while (reader.next()) if (reader.type === type) return reader.position;
    throw new Error(`no record of type ${type}`);
  }

  /** Threads die when they come to the record that ends at this position. */
  dieAt(position: number): void {
    const { threads } = this;
    const { enterRecord } = LaneCounters.prototype;
    vi.spyOn(LaneCounters.prototype, 'enterRecord').mockImplementation(function (this: LaneCounters, at) {
      enterRecord.call(this, at);
      if (threads.isAtWork && at === position) throw new Error('a fault at a record');
    });
  }

  /** Threads die of messages with such payloads, before they append them. */
  dieOf(isDeadly: (payload: unknown) => boolean): void {
    const { threads } = this;
    const { publish } = Topic.prototype;
    vi.spyOn(Topic.prototype, 'publish').mockImplementation(function (this: Topic, message, ...rest) {
      const { bytes, start, end } = message;
      if (threads.isAtWork && isDeadly(decode(bytes, start, end))) throw new Error('a fault in a topic');
      return publish.call(this, message, ...rest);
    });
  }

  close(): void {
    this.set.close();
  }
}

/** The payloads that the log retains. */
export function valuesOf(log: FrameLog): unknown[] {
  const view = new EventView();
  return framesOf(log).map(({ bytes }) => {
    if (!view.read(bytes, 0, bytes.length)) throw new Error('not an EVENT');
    return decode(bytes, view.payloadStart, view.payloadEnd);
  });
}
