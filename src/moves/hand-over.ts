/**
 * Hand-over: moves topics between homes while publishers and subscribers go on.
 *
 *                       ┌────────── the accept thread copies the frames to a shared log ─────────┐
 *                       │                              (no pause)                                ▼
 *     cold                                                                                  hot (lane A)
 *       ▲                                                                                   │        ▲
 *       │ frames are copied                                              CLOSE to lane A,   │        │ the same memory,
 *       │ to a plain log                                                 publishes are held │        │ OPEN to lane B
 *       │                                                                                   ▼        │
 *       └───────────── arriving ◄──────────────── CLOSED from lane A ──────────────────── leaving    │
 *                         │                                                                          │
 *                         └──────────────────────────────────────────────────────────────────────────┘
 *
 * Arriving, what was held goes to the new home, ahead of everything newer. Epoch and seqs continue, cursors are seqs, so
 * subscribers notice nothing. A move asked for on the way changes the target only.
 */

import type { Delivery } from '../delivery/delivery.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import type { TopicEntry } from '../directory/topic-entry.js';
import type { Homes } from '../home/homes.js';
import type { TopicLink, TopicLogs } from '../home/link.js';
import type { SharedLogs } from '../lane/shared-logs.js';
import type { FrameLog } from '../log/frame-log.js';
import type { Scheduler } from '../time/loop.js';
import { CANONICAL, marksOf } from '../variant/stream-spec.js';
import { type HeldOutcomes, LeavingTopic } from './leaving-topic.js';

/** A new home that was full is tried again after so long (ms), if no turn of delivery comes first. */
const RETRY_MS = 1;

/** Writer and reader: the accept thread. */
export class HandOver {
  /** Topics that changed their home since the start. */
  moves = 0;

  readonly #directory: TopicDirectory;
  readonly #homes: Homes;
  readonly #sharedLogs: SharedLogs;
  readonly #scheduler: Pick<Scheduler, 'after'>;
  readonly #delivery: Delivery;
  readonly #outcomes: HeldOutcomes;
  /** From the moment a topic begins to leave a lane until nothing of it is held. */
  readonly #underWay = new Map<TopicEntry, LeavingTopic>();
  readonly #waiting = new Map<TopicEntry, (() => void)[]>();
  #cancelRetry: (() => void) | null = null;

  constructor(
    directory: TopicDirectory,
    homes: Homes,
    sharedLogs: SharedLogs,
    delivery: Delivery,
    outcomes: HeldOutcomes,
    scheduler: Pick<Scheduler, 'after'>,
  ) {
    this.#directory = directory;
    this.#homes = homes;
    this.#sharedLogs = sharedLogs;
    this.#scheduler = scheduler;
    this.#delivery = delivery;
    this.#outcomes = outcomes;
  }

  get underWayCount(): number {
    return this.#underWay.size;
  }

  isUnderWay(entry: TopicEntry): boolean {
    return this.#underWay.has(entry);
  }

  /** The home that a topic has, or is on its way to. */
  targetOf(entry: TopicEntry): number {
    return this.#underWay.get(entry)?.target ?? entry.lane;
  }

  /** Moves a topic to a lane, or COLD. The callback is called once it has arrived, wherever later calls sent it, or ended. */
  move(entry: TopicEntry, target: number, onDone: () => void = () => {}): void {
    const leaving = this.#underWay.get(entry);
    if (leaving === undefined && entry.lane === target) {
      onDone();
      return;
    }
    const callbacks = this.#waiting.get(entry);
    if (callbacks === undefined) this.#waiting.set(entry, [onDone]);
    else callbacks.push(onDone);
    if (leaving !== undefined) {
      leaving.target = target;
      return;
    }
    this.#leave(entry, target);
  }

  /** Hands on what is held for topics that have arrived. Called before each turn of delivery. */
  pump(): void {
    for (const [entry, leaving] of this.#underWay) if (leaving.destination !== null) this.#drain(entry, leaving);
  }

  /** Hands nothing on any more. Who waits for a topic that is still under way need not wait any longer. */
  close(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const callback of waiting) callback();
  }

  #leave(entry: TopicEntry, target: number): void {
    const { alias } = entry.spec;
    const leaving = new LeavingTopic(entry.spec, target, this.#sharedLogs, this.#outcomes);
    this.#underWay.set(entry, leaving);
    entry.link = leaving;
    this.#homes.at(entry.lane).leaveTopic(alias, (logs) => this.#arrive(entry, leaving, logs));
  }

  #arrive(entry: TopicEntry, leaving: LeavingTopic, left: TopicLogs): void {
    const sharedLogs = this.#sharedLogs;
    const from = leaving.take(left);
    if (leaving.isClosed) {
      for (const log of logsOf(from)) sharedLogs.give(log);
      this.#done(entry);
      return;
    }
    const previous = entry.lane;
    entry.lane = this.#homes.usable(leaving.target);
    const destination = this.#homes.at(entry.lane);
    const to = destination.adoptTopic(entry.spec, from);
    this.#readFrom(entry, to);
    const taken = logsOf(to);
    for (const log of logsOf(from)) if (!taken.includes(log)) sharedLogs.give(log);
    leaving.arrived(destination);
    entry.moves++;
    this.moves++;
    this.#directory.moved(entry, previous);
    this.#drain(entry, leaving);
  }

  /** Streams are read from the topic's new logs. */
  #readFrom(entry: TopicEntry, { log, derived }: TopicLogs): void {
    entry.log = log;
    for (const stream of entry.streams) {
      const { key } = stream.options.spec;
      const its = key === CANONICAL.key ? log : derived.find(({ spec }) => spec.key === key)?.log;
      if (its === undefined) continue;
      if (stream.marks !== null) stream.marks = marksOf(stream.options.spec, its, log);
      this.#delivery.rehome(stream, its, entry.isHot);
    }
  }

  #drain(entry: TopicEntry, leaving: LeavingTopic): void {
    const isEmpty = leaving.drain();
    if (!entry.isClosed) this.#directory.headMoved(entry);
    if (isEmpty) this.#settle(entry, leaving);
    else this.#retryLater();
  }

  /** Without subscribers no turn of delivery need come, and room in a ring is not reported. */
  #retryLater(): void {
    this.#cancelRetry ??= this.#scheduler.after(RETRY_MS, () => {
      this.#cancelRetry = null;
      this.pump();
    });
  }

  /** Nothing is held any more: publishes go straight to the new home, or the topic leaves it again at once. */
  #settle(entry: TopicEntry, leaving: LeavingTopic): void {
    this.#underWay.delete(entry);
    if (!entry.isClosed) {
      entry.link = leaving.destination as TopicLink;
      const target = this.#homes.usable(leaving.target);
      if (target !== entry.lane) {
        this.#leave(entry, target);
        return;
      }
    }
    this.#done(entry);
  }

  #done(entry: TopicEntry): void {
    this.#underWay.delete(entry);
    const callbacks = this.#waiting.get(entry) ?? [];
    this.#waiting.delete(entry);
    for (const callback of callbacks) callback();
  }
}

function logsOf({ log, derived }: TopicLogs): FrameLog[] {
  return [log, ...derived.map((stream) => stream.log)];
}
